"""The URL of a proxy behind a WebSocket."""

from __future__ import annotations

import pytest

from sipstack import LocalProtocolError
from sipstack.core.web_resource import WebResource
from sipstack.ua.web_proxy import WebProxy

GOOD = [
    ("wss://pbx.example.com:8089/ws", WebResource("pbx.example.com", 8089, "WSS", "/ws")),
    ("WSS://PBX.example.com", WebResource("pbx.example.com", 443, "WSS", "/")),
    ("ws://192.0.2.1/a/b?c=d", WebResource("192.0.2.1", 80, "WS", "/a/b?c=d")),
    ("ws://[2001:db8::1]:8088/ws", WebResource("2001:db8::1", 8088, "WS", "/ws")),
]
BAD = [
    "ws://",
    "wss:///ws",
    "ws://pbx:99999/",
    "ws://pbx:x/",
    "ws://al:secret@pbx/",
    "ws://pbx/#top",
    "ws://pbx/a b",
    "ws://pbx/\r\nX: y",
    "ws://p b/",
    "ws://[::1/",
]


@pytest.mark.parametrize(("url", "resource"), GOOD)
def test_urls(url: str, resource: WebResource) -> None:
    proxy = WebProxy.parse(url)
    assert proxy is not None
    assert proxy.resource == resource


def test_the_route_is_a_sip_uri() -> None:
    assert [proxy.route for url, _ in GOOD if (proxy := WebProxy.parse(url))] == [
        "<sip:pbx.example.com:8089;transport=ws;lr>",
        "<sip:pbx.example.com:443;transport=ws;lr>",
        "<sip:192.0.2.1:80;transport=ws;lr>",
        "<sip:[2001:db8::1]:8088;transport=ws;lr>",
    ]


@pytest.mark.parametrize("url", BAD)
def test_broken_ones_are_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(LocalProtocolError):
        WebProxy.parse(url)


@pytest.mark.parametrize("uri", ["sip:pbx.example.com", "sips:a@b", "http://pbx", ""])
def test_others_are_none(uri: str) -> None:
    assert WebProxy.parse(uri) is None
