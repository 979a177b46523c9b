"""What the application may write, and what it is told otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import pytest

from sipstack import Account, LocalProtocolError, UserAgent
from sipstack.message import NameAddr
from sipstack.ua.arguments import (
    IN_ACCEPTANCES,
    IN_INVITES,
    IN_REGISTERS,
    IN_REQUESTS,
    IN_RESPONSES,
    IN_TEXTS,
    HeadersArgument,
    check_host,
    check_max_forwards,
    check_method,
    from_value,
    header_fields,
    loose_route,
    sip_uri,
    target_uri,
)

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
        target_uri(text)


@pytest.mark.parametrize(
    "text", ["sip:bob@example.com", "sips:bob@example.com", "tel:+15550100", "sip:[::1]:5070"]
)
def test_what_can_be_called(text: str) -> None:
    assert target_uri(text) == text


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


@pytest.mark.parametrize(
    "header", [("X", "a\r\nB: c"), ("X", "a\0"), ("X:", "a"), ("", "a"), ("X", "\ud800")]
)
def test_header_fields_that_cannot_be_written(header: tuple[str, str]) -> None:
    with pytest.raises(LocalProtocolError):
        header_fields([header], IN_REQUESTS)


OWNED: list[tuple[Mapping[str, str], dict[str, str]]] = [
    (
        IN_REQUESTS,
        {
            "Via": "the transport writes it",
            "v": "the transport writes it",
            "from": "give from_= or account=",
            "f": "give from_= or account=",
            "To": "it is the target",
            "Call-ID": "the stack chooses it",
            "i": "the stack chooses it",
            "CSEQ": "the stack counts it",
            "Max-Forwards": "give max_forwards=",
            "Content-Length": "it follows from the body",
            "l": "it follows from the body",
            "Route": "give proxy= to the user agent or the account",
            "Record-Route": "only proxies write it",
        },
    ),
    (IN_REGISTERS, {"Contact": "the stack writes our address", "m": "the stack writes our address"}),
    (IN_INVITES, {"Contact": "the stack writes our address", "c": "that of the media: give media="}),
    (IN_TEXTS, {"Content-Type": "give content_type="}),
    (IN_RESPONSES, {"From": "it is that of the request", "Content-Length": "it follows from the body"}),
    (IN_ACCEPTANCES, {"Contact": "the stack writes our address", "Record-Route": "that of the request"}),
]


@pytest.mark.parametrize(
    ("owned", "name", "instead"),
    [(owned, name, instead) for owned, names in OWNED for name, instead in names.items()],
)
def test_fields_that_the_stack_owns_are_refused_with_a_word_on_what_to_use(
    owned: Mapping[str, str], name: str, instead: str
) -> None:
    with pytest.raises(LocalProtocolError, match=rf"cannot be given in headers=: .*{re.escape(instead)}"):
        header_fields({"Subject": "hello", name: "x"}, owned)


def test_header_fields_are_pairs_or_a_mapping() -> None:
    pairs = (("Subject", "hello"), ("X-Count", 3))
    given: list[HeadersArgument] = [pairs, list(pairs), dict(pairs), iter(pairs)]
    assert [header_fields(headers, IN_INVITES) for headers in given] == [pairs] * 4
    nothing: list[HeadersArgument] = [(), [], {}, iter(())]
    assert [header_fields(headers, IN_INVITES) for headers in nothing] == [()] * 4


def test_a_redirection_and_a_single_request_name_their_own_contacts_and_bodies() -> None:
    fields = (("Contact", "<sip:carol@example.com>"), ("Content-Type", "text/plain"))
    assert [header_fields(fields, owned) for owned in (IN_REQUESTS, IN_RESPONSES)] == [fields, fields]


# --- From, Max-Forwards, the host to advertise ---


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob",
        "http://example.com",
        '"Bob <sip:a@b>',
        "sip:a@b\r\nX: y",
        "<sip:a@b>, <sip:c@d>",
    ],
)
def test_what_cannot_be_a_from(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        from_value(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sip:bob@example.com", "<sip:bob@example.com>"),
        ("sip:bob@example.com;user=phone", "<sip:bob@example.com;user=phone>"),
        ("tel:+15550100", "<tel:+15550100>"),
        ('"Bob B." <sip:bob@example.com>', '"Bob B." <sip:bob@example.com>'),
        (NameAddr.parse('"Bob B." <sip:bob@example.com>;tag=1'), '"Bob B." <sip:bob@example.com>'),
    ],
)
def test_a_from_is_a_uri_or_a_name_addr(text: str | NameAddr, value: str) -> None:
    assert from_value(text) == value


@pytest.mark.parametrize("count", [-1, 256])
def test_what_is_no_max_forwards(count: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"0 to 255, not {count}"):
        check_max_forwards(count)


@pytest.mark.parametrize("host", ["", "a b", "a@b", "b:5060", "b;lr", "b\r\nX: y", "sip:b"])
def test_what_is_no_host(host: str) -> None:
    with pytest.raises(LocalProtocolError, match="is no host name or IP address"):
        check_host(host)


@pytest.mark.parametrize("host", ["sip.example.com", "192.0.2.7", "2001:db8::1", "[2001:db8::1]"])
def test_what_is_a_host(host: str) -> None:
    check_host(host)


MISTAKES: list[tuple[Callable[[], object], str]] = [
    (lambda: UserAgent(peers="strangers"), "'strangers' is none of anyone, route, flow"),
    (lambda: UserAgent("bob"), "write it like sip:alice@example.com"),
    (lambda: UserAgent("sip:bob@b.test", registrar="b.test"), "write it like sip:example.com"),
    (lambda: UserAgent("sip:bob@b.test", proxy="b.test"), "write it like sip:proxy.example.com"),
    (lambda: UserAgent("sip:bob@b.test", listen="5060"), "write udp:HOST:PORT"),
    (lambda: UserAgent("sip:bob@b.test", listen=["udp:0.0.0.0:0", "sctp:0.0.0.0:0"]), "write udp:HOST:PORT"),
    (lambda: UserAgent("sip:bob@b.test", display_name="Bob\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda: UserAgent("sip:bob@b.test", advertise="b.test:5060"), "is no host name or IP address"),
    (lambda: Account("bob"), "write it like sip:alice@example.com"),
    (lambda: Account("sip:bob@b.test", registrar="b.test"), "write it like sip:example.com"),
    (lambda: Account("sip:bob@b.test", proxy="b.test"), "write it like sip:proxy.example.com"),
    (lambda: Account("sip:bob@b.test", display_name="Bob\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda: UserAgent("sip:bob@b.test", user_agent="mine\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda: UserAgent("sip:b\ud800b@b.test"), "cannot be written in UTF-8"),
    (lambda: Account("sip:bob@b.test", password="x", username="b\r\nX: y"), "cannot hold CR, LF or NUL"),
    (lambda: Account("sip:bob@b.test", password="x", username="b\0b"), "cannot hold CR, LF or NUL"),
    (lambda: Account("sip:bob@b.test", password="x", username="\ud800"), "cannot be written in UTF-8"),
    (lambda: Account("sip:bob@b.test", password="\ud800"), "^the password cannot be written in UTF-8$"),
    (lambda: Account("sip:bob@b.test", credentials={"r": ("b\n", "x")}), "cannot hold CR, LF or NUL"),
    (lambda: Account("sip:bob@b.test", credentials={"\ud800": ("b", "x")}), "cannot be written in UTF-8"),
]


@pytest.mark.parametrize(("make", "error"), MISTAKES)
def test_mistakes_are_raised_when_the_user_agent_or_the_account_is_made(
    make: Callable[[], object], error: str
) -> None:
    with pytest.raises(LocalProtocolError, match=error):
        make()
