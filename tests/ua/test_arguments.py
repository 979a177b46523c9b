"""What the application may write, and what it is told otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sipstack import LocalProtocolError, UserAgent
from sipstack.ua.arguments import check_headers, check_method, check_target, loose_route, sip_uri

NO_SIP_URIS = [
    "",
    "bob",
    "sip:",
    "tel:+15550100",
    "http://example.com",
    "sip:a@b\r\nX: y",
    "<sip:a@b>",
    "sip:a b",
]


@pytest.mark.parametrize("text", NO_SIP_URIS)
def test_what_is_no_sip_uri_is_told_how_to_write_one(text: str) -> None:
    with pytest.raises(LocalProtocolError) as raised:
        sip_uri(text, "sip:alice@example.com")
    assert str(raised.value) == f"{text!r} is no SIP URI: write it like sip:alice@example.com"


@pytest.mark.parametrize(
    "text", ["bob", "sip:", "http://bob.test", "mailto:bob@example.com", "sip:b@c\nX: y"]
)
def test_what_cannot_be_called(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be called: write it like sip:bob@example.com"):
        check_target(text)


@pytest.mark.parametrize(
    "text", ["sip:bob@example.com", "sips:bob@example.com", "tel:+15550100", "sip:[::1]:5070"]
)
def test_what_can_be_called(text: str) -> None:
    check_target(text)


@pytest.mark.parametrize(
    ("proxy", "route"),
    [
        ("sip:proxy.example.com", "<sip:proxy.example.com;lr>"),
        ("sip:proxy.example.com;lr", "<sip:proxy.example.com;lr>"),
        ("<sip:proxy.example.com:5070;lr>", "<sip:proxy.example.com:5070;lr>"),
    ],
)
def test_a_proxy_is_a_loose_route(proxy: str, route: str) -> None:
    assert loose_route(proxy) == route


@pytest.mark.parametrize("method", ["INVITE", "ACK", "BYE", "CANCEL"])
def test_methods_of_calls_are_not_for_single_requests(method: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{method} belongs to a call"):
        check_method(method)


@pytest.mark.parametrize("method", ["", "NO METHOD", "A\r\nB"])
def test_what_is_no_method(method: str) -> None:
    with pytest.raises(LocalProtocolError, match="not a method"):
        check_method(method)


@pytest.mark.parametrize("header", [("X", "a\r\nB: c"), ("X", "a\0"), ("X:", "a"), ("", "a")])
def test_header_fields_that_cannot_be_written(header: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        check_headers([header])


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: UserAgent("bob"), "write it like sip:alice@example.com"),
    (lambda: UserAgent("sip:bob@b.test", registrar="b.test"), "write it like sip:example.com"),
    (lambda: UserAgent("sip:bob@b.test", proxy="b.test"), "write it like sip:proxy.example.com"),
    (lambda: UserAgent("sip:bob@b.test", listen="5060"), "write udp:HOST:PORT"),
    (lambda: UserAgent("sip:bob@b.test", listen=["udp:0.0.0.0:0", "tcp:0.0.0.0:0"]), "write udp:HOST:PORT"),
    (lambda: UserAgent("sip:bob@b.test", display_name="Bob\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda: UserAgent("sip:bob@b.test", user_agent="mine\r\nX: y"), "cannot hold CR, LF or NUL"),
]


@pytest.mark.parametrize(("make", "error"), MISTAKES)
def test_mistakes_are_raised_when_the_user_agent_is_made(make: Callable[[], object], error: str) -> None:
    with pytest.raises(LocalProtocolError, match=error):
        make()
