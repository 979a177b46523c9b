"""Fragments of SDP with candidates that come later (RFC 8840 §9)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import ParseError
from sipstack.sdp import read_fragment
from sipstack.sdp.ice import MAX_CANDIDATES

OF_THE_RFC = b"""\
a=ice-pwd:asd88fgpdd777uzjYhagZg\r
a=ice-ufrag:8hhY\r
m=audio 9 RTP/AVP 0\r
a=mid:1\r
a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r
a=candidate:2 1 UDP 1694498815 192.0.2.3 5000 typ srflx raddr 10.0.1.1 rport 8998\r
m=audio 9 RTP/AVP 0\r
a=mid:2\r
a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5002 typ host\r
a=end-of-candidates\r
"""


def test_the_fragment_of_rfc_8840() -> None:
    one, other = read_fragment(OF_THE_RFC)
    assert (one.name, other.name) == ("1", "2")
    assert one.ice.credentials == other.ice.credentials == ("8hhY", "asd88fgpdd777uzjYhagZg")
    assert [(each.address, each.port) for each in one.ice.candidates] == [
        ("2001:db8:a0b:12f0::1", 5000),
        ("192.0.2.3", 5000),
    ]
    assert [each.port for each in other.ice.candidates] == [5002]


def test_more_come_until_their_end_is_told_for_the_m_line_or_for_all() -> None:
    assert [each.ice.more for each in read_fragment(OF_THE_RFC)] == [True, False]
    assert [each.ice.more for each in read_fragment(b"a=end-of-candidates\r\n" + OF_THE_RFC)] == [False] * 2


def test_credentials_may_stand_in_the_m_line_and_there_may_be_no_candidate() -> None:
    (only,) = read_fragment(
        b"m=audio 9 RTP/AVP 0\na=mid:audio\na=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\n"
        b"a=end-of-candidates\n"
    )
    assert (only.name, only.ice.ufrag, only.ice.candidates, only.ice.more) == ("audio", "8hhY", (), False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n",
        b"m=audio 9 RTP/AVP 0\r\na=mid:1\r\n",
        b"a=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\n",
        b"a=ice-ufrag:8\r\na=ice-pwd:short\r\nm=audio 9 RTP/AVP 0\r\n",
        OF_THE_RFC.replace(b"m=audio 9", b"m=audio x"),
        OF_THE_RFC + b"v=0\r\n" * 5000,
        OF_THE_RFC + b"a=" + b"x" * 100_000,
    ],
)
def test_what_is_no_fragment(body: bytes) -> None:
    with pytest.raises(ParseError) as refused:
        read_fragment(body)
    assert refused.value.status == 400


def test_a_candidate_that_cannot_be_read_is_left_out_and_a_flood_is_cut() -> None:
    line = b"a=candidate:1 1 UDP 2130706432 192.0.2.3 5000 typ host\r\n"
    (flooded,) = read_fragment(OF_THE_RFC.partition(b"a=candidate")[0] + b"a=candidate:?\r\n" + line * 1000)
    assert len(flooded.ice.candidates) == MAX_CANDIDATES


@given(st.binary(max_size=300))
def test_any_octets_are_a_fragment_or_a_parse_error(body: bytes) -> None:
    for octets in (body, OF_THE_RFC + body, body + OF_THE_RFC):
        with contextlib.suppress(ParseError):
            read_fragment(octets)


def test_the_password_is_not_shown() -> None:
    assert "asd88fgpdd777uzjYhagZg" not in repr(read_fragment(OF_THE_RFC))
