"""The public API: user agents, calls, invitations, registrations. Import the names from ``sipstack``."""
