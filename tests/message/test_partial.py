"""Broken requests, read far enough to be answered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.message import Request, Via, parse
from sipstack.message.partial import partial_request, request_to_answer

VIA = "SIP/2.0/UDP a;branch=z9hG4bK1"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"INVITE sip:a SIP/2.0",
        b"INVITE sip:a SIP/2.0\r\nVia: nonsense\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a:99999;;\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a:506000;;\r\n\r\n",
        b"INVITE sip:a SIP/2.0\r\nFrom: <sip:a>\r\n\r\n",
        b"INVITE sip:a\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"IN(VITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n\r\n",
        b"GET / HTTP/1.1\r\nVia: SIP/2.0/UDP a\r\n\r\n",
    ],
)
def test_nothing_to_answer_to(data: bytes) -> None:
    assert partial_request(data) is None


@pytest.mark.parametrize(
    "start",
    [
        "INVITE  sip:a  SIP/2.0",
        "INVITE sip:a SIP/2.0  ",
        "INVITE sip:a; lr SIP/2.0",
        "INVITE <sip:a> sip/7.0",
    ],
)
def test_a_broken_start_line(start: str) -> None:
    request = partial_request(f"{start}\r\nv: {VIA}\r\nCSeq: 1 INVITE\r\n\r\n".encode())
    assert request is not None
    assert (request.method, request.via, request.cseq.number) == ("INVITE", Via.parse(VIA), 1)


def test_broken_lines_are_left_out() -> None:
    request = partial_request(
        f"\r\nBYE sip:a SIP/2.0\nVia: {VIA}\r\nno colon\r\n: x\r\nb\0d: x\r\nTo:\r\n <sip:b>\r\n"
        'To: <sip:c>\r\nSubject: x\r\nCall-ID: a\0b\r\nFrom: "x\r\nCSeq: 1\rBYE'.encode()
    )
    assert request is not None
    assert list(request.headers.items()) == [("Via", VIA), ("To", "<sip:b>"), ("From", '"x')]


@pytest.mark.parametrize(
    ("broken", "via"),
    [
        ("SIP/2.0/UDP 192.0.2.15;;,;,,", "SIP/2.0/UDP 192.0.2.15"),
        ("SIP/2.0/udp a:5070;;branch=z9hG4bK1;;", "SIP/2.0/UDP a:5070;branch=z9hG4bK1"),
        ('SIP/7.0/TCP [::1]:5060;x="', "SIP/2.0/TCP [::1]:5060"),
        ("SIP/2.0/UDP a;branch=b, nonsense", "SIP/2.0/UDP a;branch=b"),
        ("SIP/2.0/UDP a:9999;;", "SIP/2.0/UDP a:9999"),
    ],
)
def test_a_broken_via_is_cut_down_to_what_an_answer_needs(broken: str, via: str) -> None:
    request = request_to_answer("INVITE", "sip:a", [("via", broken), ("From", "<sip:a>")])
    assert request is not None
    assert request.headers.raw("Via") == (via,)
    assert parse(bytes(request.response(400))).via == Via.parse(via)


def test_good_vias_stay_as_they_are() -> None:
    request = request_to_answer("INVITE", "sip:a", [("Via", VIA), ("v", f"{VIA}, SIP/2.0/TCP b"), ("X", "y")])
    assert request is not None
    assert list(request.headers.items()) == [("Via", VIA), ("Via", f"{VIA}, SIP/2.0/TCP b")]


@given(st.binary(max_size=80), st.binary(max_size=40))
def test_a_partial_request_can_be_answered(noise: bytes, more: bytes) -> None:
    request = partial_request(
        b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;" + noise + b"\r\nTo: " + more + b"\r\n\r\n"
    )
    if request is not None:
        assert isinstance(request, Request)
        answer = parse(bytes(request.response(400, to_tag="1")))
        assert answer.via == request.via
