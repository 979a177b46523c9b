"""What a WebSocket asks its server for, which no SIP URI can say: the path, and whether there is TLS."""

from __future__ import annotations

import attrs


@attrs.frozen
class WebResource:
    """Where requests for ``host`` and ``port`` with ``transport=ws`` go: "WS" or "WSS", and the path."""

    host: str
    port: int
    transport: str
    path: str
