"""The ladder diagram, compared as whole text."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from sipstack.cli.ladder import BOX, Ladder, label, names, rung
from sipstack.transaction.flow import Flow

ALICE = ("192.0.2.1", 5060)
FLOW = Flow("UDP", ALICE, ("192.0.2.2", 5070))


@attrs.frozen
class Seen:
    """One message, as a trace reports it."""

    time: float
    sent: bool
    flow: Flow
    data: bytes


def response(status_line: str, cseq: str = "1 INVITE", *, body: bytes = b"") -> bytes:
    content = "Content-Type: application/sdp\r\n" if body else ""
    return f"SIP/2.0 {status_line}\r\nCSeq: {cseq}\r\n{content}\r\n".encode() + body


def request(method: str, *, body: bytes = b"") -> bytes:
    content = "c: application/sdp\r\n" if body else ""
    return f"{method} sip:bob@192.0.2.2 SIP/2.0\r\nCSeq: 1 {method}\r\n{content}\r\n".encode() + body


def drawn(*messages: Seen, **options: Any) -> tuple[str, list[str]]:
    """The diagram, and the style of each line."""
    lines: list[tuple[str, str]] = []
    ladder = Ladder(lambda line, style: lines.append((line, style)), **options)
    for message in messages:
        ladder(message)
    return "\n".join(line for line, _ in lines), [style for _, style in lines]


def test_a_call_that_is_challenged_answered_and_hung_up() -> None:
    text, styles = drawn(
        Seen(100.0, True, FLOW, request("INVITE", body=b"v=0\r\n")),
        Seen(100.0012, False, FLOW, response("407 Proxy Authentication Required")),
        Seen(100.0013, True, FLOW, request("ACK")),
        Seen(100.002, True, FLOW, request("INVITE", body=b"v=0\r\n")),
        Seen(100.003, False, FLOW, response("100 Trying")),
        Seen(100.25, False, FLOW, response("180 Ringing")),
        Seen(103.5, False, FLOW, response("200 OK", body=b"v=0\r\n")),
        Seen(103.501, True, FLOW, request("ACK")),
        Seen(113.5, False, FLOW, request("BYE")),
        Seen(113.501, True, FLOW, response("200 OK", "1 BYE")),
    )
    assert text == (
        "UDP        192.0.2.1:5060                        192.0.2.2:5070\n"
        "    0.000  |------------------ INVITE + SDP ----------------->|\n"
        "    0.001  |<--- 407 Proxy Authentication Required (INVITE) --|\n"
        "    0.001  |---------------------- ACK ---------------------->|\n"
        "    0.002  |------------------ INVITE + SDP ----------------->|\n"
        "    0.003  |<-------------- 100 Trying (INVITE) --------------|\n"
        "    0.250  |<-------------- 180 Ringing (INVITE) -------------|\n"
        "    3.500  |<------------- 200 OK (INVITE) + SDP -------------|\n"
        "    3.501  |---------------------- ACK ---------------------->|\n"
        "   13.500  |<---------------------- BYE ----------------------|\n"
        "   13.501  |------------------ 200 OK (BYE) ----------------->|"
    )
    sent, received = "sent", "received"
    assert styles == [
        "heading",
        sent,
        "failure",
        sent,
        sent,
        received,
        received,
        received,
        sent,
        received,
        sent,
    ]


def test_each_pair_of_addresses_has_one_heading_and_the_arrows_say_whose_they_are() -> None:
    other = Flow("UDP", ("2001:db8::1", 5060), ("2001:db8:1111:2222:3333:4444:5555:6666", 65535))
    text, _ = drawn(
        Seen(1.0, True, FLOW, request("BYE")),
        Seen(2.0, False, other, request("OPTIONS")),
        Seen(3.0, True, FLOW, request("BYE")),
    )
    assert text == (
        "UDP        192.0.2.1:5060                        192.0.2.2:5070\n"
        "    0.000  |---------------------- BYE ---------------------->|\n"
        "UDP        [2001:db8::1]:5060 [2001:db8:1111:2222:3333:4444:5555:6666]:65535\n"
        "    1.000  |<-------------------- OPTIONS --------------------| "
        "[2001:db8:1111:2222:3333:4444:5555:6666]:65535\n"
        "    2.000  |---------------------- BYE ---------------------->|"
    )


ASKS = b"""\
%s sip:bob@192.0.2.2 SIP/2.0\r
From: "Al" <sip:alice:secret@example.com>;tag=1\r
t: <sip:bob@example.com>\r
CSeq: 1 %s\r
\r
"""
ANSWERS = ASKS.replace(b"%s sip:bob@192.0.2.2 SIP/2.0", b"SIP/2.0 200 OK")


@pytest.mark.parametrize(
    ("sent", "data", "ours", "theirs"),
    [
        (True, ASKS % (b"INVITE", b"INVITE"), "alice", "bob"),
        (False, ASKS % (b"INVITE", b"INVITE"), "bob", "alice"),
        (True, ANSWERS % b"INVITE", "bob", "alice"),
        (False, ANSWERS % b"INVITE", "alice", "bob"),
        (True, ASKS % (b"REGISTER", b"REGISTER"), "alice", ""),
        (False, b"\r\n\r\n", "", ""),
        (True, b"OPTIONS sip:x SIP/2.0\r\nFrom: <sip:h.example>\r\nTo: <tel:1>\r\n\r\n", "h.example", ""),
        (True, b"BYE sip:x SIP/2.0\r\nFrom: sip:\x1b[2J@h;tag=1\r\n\r\n", "?[2J", ""),
    ],
)
def test_the_names_above_the_lifelines(sent: bool, data: bytes, ours: str, theirs: str) -> None:
    assert names(data, sent) == (ours, theirs)


def test_boxes_on_a_terminal() -> None:
    text, _ = drawn(
        Seen(0.0, True, FLOW, ASKS % (b"INVITE", b"INVITE")),
        Seen(0.1, False, FLOW, response("180 Ringing")),
        pen=BOX,
    )
    assert text == (
        "UDP        alice 192.0.2.1:5060              bob 192.0.2.2:5070\n"
        "    0.000  │───────────────────── INVITE ────────────────────▶│\n"
        "    0.100  │◀────────────── 180 Ringing (INVITE) ─────────────│"
    )


def test_the_whole_messages_without_what_is_secret() -> None:
    told = (
        b"REGISTER sip:alice:pw1@b SIP/2.0\r\n"
        b'Authorization: Digest username="alice", realm="r", nonce="n", response="pw2", qop=auth\r\n'
        b"Proxy-Authorization:\r\n Basic pw3\r\n"
        b"Subject: \x1b[2J\r\n"
        b"Content-Type: application/sdp\r\n"
        b"\r\n"
        b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:pw4|2^20\r\n"
    )
    text, styles = drawn(Seen(0.0, True, FLOW, told), Seen(1.0, False, FLOW, b"\r\n\r\n"), full=True)
    assert text == (
        "UDP        192.0.2.1:5060                        192.0.2.2:5070\n"
        "    0.000  |----------------- REGISTER + SDP ---------------->|\n"
        "           REGISTER sip:alice:***@b SIP/2.0\n"
        '           Authorization: Digest username="alice", realm="r", nonce="n", response=***, qop=auth\n'
        "           Proxy-Authorization: ***\n"
        "           Subject: ?[2J\n"
        "           Content-Type: application/sdp\n"
        "\n"
        "           v=0\n"
        "           a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20\n"
        "    1.000  |<------------------- keep-alive ------------------|"
    )
    assert styles == ["heading", "sent", *["text"] * 8, "received"]


def test_a_long_reason_is_cut_to_the_width() -> None:
    assert rung(0.0, False, "499 " + "x" * 80) == "    0.000  |<- 499 " + "x" * 41 + " -|"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "keep-alive"),
        (b"\r\n\r\n", "keep-alive"),
        (b"\xff\x00\x01", "3 octets that are not SIP"),
        (b"\r\nBYE sip:a@b SIP/2.0\r\n\r\n", "BYE"),
        (b"SIP/2.0 200 OK\r\n\r\n", "200 OK ()"),
        (b"SIP/2.0 486 Busy\x1b[2J\x07 Here\r\nCSeq: 7 INVITE\r\n\r\n", "486 Busy?[2J? Here (INVITE)"),
        (b"SIP/2.0 200 \xe2\x80\xae\xff\r\ncseq : 7 INVITE\r\n\r\n", "200 ?\ufffd (INVITE)"),
        (b"INVITE sip:a@b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n", "INVITE"),
        (b"MESSAGE sip:a@b SIP/2.0\r\nContent-Type: text/plain\r\n\r\nhello", "MESSAGE"),
    ],
)
def test_what_a_message_is_called(data: bytes, text: str) -> None:
    assert label(data) == text


def test_credentials_are_never_drawn() -> None:
    secret = b"REGISTER sip:alice:secret@b SIP/2.0\r\nAuthorization: Digest response=secret\r\n\r\nsecret"
    text, _ = drawn(Seen(0.0, True, FLOW, secret))
    assert "secret" not in text
