"""Which bodies are a session description, and which requests are refused for theirs (RFC 3261 §8.2.3)."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.message import Request
from sipstack.usage.content import content_refusal, session_description
from sipstack.usage.invite.events import OfferAnswered, OfferReceived
from sipstack.usage.invite.record import SessionRecord

SDP = b"v=0\r\n"
MIXED = (
    b"--boundary\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
    b"--boundary\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--boundary--\r\n"
)


def invite(body: bytes, **fields: str) -> Request:
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    return Request("INVITE", "sip:b@h", headers, body)


FOUND = {
    "the usual": (invite(SDP, Content_Type="application/sdp"), SDP),
    "in another case and with a parameter": (invite(SDP, Content_Type="Application/SDP;charset=utf-8"), SDP),
    "in a multipart body": (invite(MIXED, Content_Type="multipart/mixed;boundary=boundary"), SDP),
    "no body": (invite(b"", Content_Type="application/sdp"), b""),
    "a body without a type": (invite(SDP), SDP),
    "a body without a type that is no SDP": (invite(b"hello"), b""),
    "something else": (invite(b"hello", Content_Type="text/plain"), b""),
    "a multipart body without it": (
        invite(MIXED.replace(b"sdp", b"isup"), Content_Type="multipart/mixed;boundary=boundary"),
        b"",
    ),
    "a multipart body without a boundary": (invite(MIXED, Content_Type="multipart/mixed"), b""),
    "a broken multipart body": (invite(MIXED[:60], Content_Type="multipart/mixed;boundary=boundary"), b""),
    "a broken type": (invite(SDP, Content_Type="sdp"), b""),
}


@pytest.mark.parametrize(("request_", "found"), FOUND.values(), ids=FOUND)
def test_the_session_description_in_a_message(request_: Request, found: bytes) -> None:
    assert session_description(request_) == found


ODD_PARTS = {
    "a line without colon": b"Content-Type: text/plain\r\nbad line\r\n\r\nhello",
    "a name that is none": b"Content Type: text/plain\r\n\r\nhello",
    "no name": b": text/plain\r\n\r\nhello",
    "a type that is none": b"Content-Type: text\r\n\r\nhello",
    "a CR alone": b"Content-Type: text/plain\r X: 1\r\n\r\nhello",
    "a multipart within that is broken": b"Content-Type: multipart/mixed\r\n\r\nhello",
}


@pytest.mark.parametrize("odd", ODD_PARTS.values(), ids=ODD_PARTS)
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_an_odd_part_beside_the_session_description(odd: bytes, first: bool) -> None:
    parts = [odd, b"Content-Type: application/sdp\r\n\r\n" + SDP]
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in (parts if first else parts[::-1])) + b"--b--\r\n"
    request = invite(body, Content_Type="multipart/mixed;boundary=b")
    assert (session_description(request), content_refusal(request, (USUAL,))) == (SDP, None)


def test_an_odd_line_in_the_part_itself() -> None:
    body = b"--b\r\nbad line\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b--\r\n"
    assert session_description(invite(body, Content_Type="multipart/mixed;boundary=b")) == SDP


ACCEPT = (("Accept", "application/sdp"),)
PLAIN = (("Accept-Encoding", "identity"),)
WARNING = (("Warning", '399 sipstack "a session needs application/sdp"'),)
USUAL = "application/sdp"

REFUSED = {
    "nothing to object to": (invite(SDP, Content_Type=USUAL), None),
    "no body, no type": (invite(b""), None),
    "not SDP": (invite(b"hello", Content_Type="text/plain"), (415, ACCEPT)),
    "no type, and no SDP": (invite(b"hello"), (415, ACCEPT)),
    "no type, but SDP": (invite(SDP), None),
    "packed": (invite(SDP, Content_Type=USUAL, Content_Encoding="gzip"), (415, PLAIN)),
    "not packed, and says so": (invite(SDP, Content_Type=USUAL, Content_Encoding="identity"), None),
    "accepts SDP": (invite(b"", Accept="text/plain, application/sdp;q=0.1"), None),
    "accepts anything": (invite(b"", Accept="*/*"), None),
    "accepts applications": (invite(b"", Accept="application/*;q=0.5"), None),
    "accepts no SDP": (invite(b"", Accept="text/plain"), (406, WARNING)),
}


@pytest.mark.parametrize(("request_", "refused"), REFUSED.values(), ids=REFUSED)
def test_a_request_that_is_not_for_us(request_: Request, refused: object) -> None:
    assert content_refusal(request_, ("application/sdp",)) == refused


def test_no_repr_of_an_offer_or_a_record_shows_its_keys() -> None:
    """RFC 4568: the body of an offer or answer may hold the key of the audio."""
    body = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:key"
    session: Any = None
    dialog: Any = None
    offer, answer = OfferReceived(session, body), OfferAnswered(session, body)
    record = SessionRecord(dialog, True, body, body)
    shown = repr([offer, answer, record])
    assert "inline" not in shown
    assert shown.count(f"<{len(body)} octets>") == 4
    assert repr(SessionRecord(dialog, True)).count("<0 octets>") == 2
