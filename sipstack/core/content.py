"""The session description in a message, for the user agent."""

from __future__ import annotations

from sipstack.usage.content import session_description

__all__ = ["session_description"]
