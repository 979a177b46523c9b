"""What the endpoints of a network share beside their addresses."""

from __future__ import annotations

import attrs

from sipstack.net.stream_limits import StreamLimits


@attrs.frozen(kw_only=True)
class Settings:
    """Each has a default that serves."""

    streams: StreamLimits = StreamLimits()


DEFAULTS = Settings()
