"""A proxy behind a WebSocket, as its URL names it (RFC 7118 §4): ``wss://pbx.example.com:8089/ws``."""

from __future__ import annotations

from urllib.parse import urlsplit

import attrs

from sipstack.core.web_resource import WebResource
from sipstack.errors import LocalProtocolError
from sipstack.ua.arguments import check_host

DEFAULT_PORTS = {"ws": 80, "wss": 443}


@attrs.frozen
class WebProxy:
    """The Route value of requests that go there, and what the WebSocket asks for."""

    route: str
    resource: WebResource

    @classmethod
    def parse(cls, url: str) -> WebProxy | None:
        """None for what is no ws: or wss: URL, such as a SIP URI. Raises LocalProtocolError for one that is
        broken.
        """
        scheme, colon, _ = url.partition("://")
        if not colon or scheme.lower() not in DEFAULT_PORTS:
            return None
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS[parts.scheme]
        except ValueError as error:
            raise LocalProtocolError(f"{url!r} is no WebSocket URL: {error}") from error
        host = parts.hostname or ""
        check_host(host)
        if parts.username or parts.password or parts.fragment:
            raise LocalProtocolError(f"{url!r}: write it like wss://pbx.example.com:8089/ws")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise LocalProtocolError(f"{url!r}: the path of a URL has no such characters")
        written = f"[{host}]" if ":" in host else host
        resource = WebResource(host, port, parts.scheme.upper(), path)
        return cls(f"<sip:{written}:{port};transport=ws;lr>", resource)
