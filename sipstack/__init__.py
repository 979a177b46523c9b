"""sipstack: a SIP user agent stack for asyncio."""

__version__ = "0.1.0"
