"""What the endpoints of a network share beside their addresses."""

from __future__ import annotations

import attrs

from sipstack.net.resolver import Resolver
from sipstack.net.stream_limits import StreamLimits
from sipstack.net.tls_settings import Tls


@attrs.frozen(kw_only=True)
class Settings:
    """Each has a default that serves.

    ``origins``: the web pages, such as ``https://example.com``, whose WebSockets are let in; none: all are.
    """

    streams: StreamLimits = StreamLimits()
    resolver: Resolver | None = None
    """Who looks names up; the system's servers are asked where it is None."""
    tls: Tls = Tls()
    origins: tuple[str, ...] = ()


DEFAULTS = Settings()
