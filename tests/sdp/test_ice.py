"""ICE in session descriptions (RFC 8839, RFC 8840)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.sdp import Attribute, IceCandidate, IceDescription, parse
from sipstack.sdp.ice import MAX_CANDIDATES

HOST = "1 1 UDP 2130706431 203.0.113.141 8998 typ host"
REFLEXIVE = "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998"
CHROME = (
    "candidate:842163049 1 udp 1677729535 192.0.2.7 46154 typ srflx raddr 10.0.1.1 rport 46154"
    " generation 0 ufrag EEtu network-id 3 network-cost 10"
)
UFRAG, PASSWORD = "8hhY", "asd88fgpdd777uzjYhagZg"


def description(*lines: str, session: tuple[str, ...] = ()) -> str:
    head = ("v=0", "o=jdoe 2890844526 2890842807 IN IP4 203.0.113.141", "s=-", "c=IN IP4 192.0.2.3", "t=0 0")
    return "\r\n".join((*head, *session, "m=audio 45664 RTP/AVP 0", *lines, ""))


def ice(*lines: str, session: tuple[str, ...] = ()) -> IceDescription | None:
    parsed = parse(description(*lines, session=session).encode())
    return IceDescription.of(parsed, parsed.media[0])


# Candidates


def test_the_candidates_of_rfc_8839_6() -> None:
    assert IceCandidate.parse(HOST) == IceCandidate("1", 1, "udp", 2130706431, "203.0.113.141", 8998, "host")
    assert IceCandidate.parse(REFLEXIVE) == IceCandidate(
        "2", 1, "udp", 1694498815, "192.0.2.3", 45664, "srflx", "203.0.113.141", 8998
    )


def test_what_a_browser_adds_is_kept() -> None:
    candidate = IceCandidate.parse(CHROME)
    assert (candidate.type, candidate.related_address, candidate.related_port) == ("srflx", "10.0.1.1", 46154)
    assert dict(candidate.extensions) == {
        "generation": "0",
        "ufrag": "EEtu",
        "network-id": "3",
        "network-cost": "10",
    }
    assert str(candidate) == CHROME.removeprefix("candidate:")


@pytest.mark.parametrize(
    "address", ["2001:db8::1", "d2a4cf35-5a5b-43a5-9b31-0e6b3a0b1c0d.local", "host.example"]
)
def test_an_address_may_be_of_ipv6_or_a_name(address: str) -> None:
    assert IceCandidate.parse(f"1 1 udp 1 {address} 9 typ host").address == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 1 UDP 2130706431 203.0.113.141 8998 typ",
        "1 1 UDP 2130706431 203.0.113.141 8998 host typ",
        "1 1 UDP 2130706431 203.0.113.141 8998 typ host generation",
        "1 0 UDP 2130706431 203.0.113.141 8998 typ host",
        "1 257 UDP 2130706431 203.0.113.141 8998 typ host",
        "1 1 UDP -1 203.0.113.141 8998 typ host",
        "1 1 UDP 4294967296 203.0.113.141 8998 typ host",
        "1 1 UDP 2130706431 203.0.113.141 65536 typ host",
        "1 1 UDP 2130706431 203.0.113 8998 typ host",
        "1 1 UDP 2130706431 203.0.113.1411 8998 typ host",
        "1 1 UDP 2130706431 [::1] 8998 typ host",
        "ä 1 UDP 2130706431 203.0.113.141 8998 typ host",
        f"{'1' * 33} 1 UDP 2130706431 203.0.113.141 8998 typ host",
    ],
)
def test_not_a_candidate(text: str) -> None:
    with pytest.raises(ParseError):
        IceCandidate.parse(text)


def test_a_related_address_is_there_with_its_port_or_not_at_all() -> None:
    half = IceCandidate.parse("1 1 udp 1 192.0.2.1 9 typ relay raddr 192.0.2.2")
    assert (half.related_address, half.related_port) == (None, None)
    other = IceCandidate.parse("1 1 udp 1 192.0.2.1 9 typ relay rport 5")
    assert (other.related_address, other.related_port) == (None, None)


def test_a_candidate_of_ours_cannot_break_out_of_its_line() -> None:
    with pytest.raises(LocalProtocolError):
        str(IceCandidate("1", 1, "udp", 1, "192.0.2.1\r\na=x", 9, "host"))


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*HOST.split(), *CHROME.split(), "-1", ""])).map(" ".join)
)
def test_any_text_is_a_candidate_or_a_parse_error(text: str) -> None:
    with suppress(ParseError):
        candidate = IceCandidate.parse(text)
        assert IceCandidate.parse(str(candidate)) == candidate


# Descriptions


def test_the_description_of_rfc_8839() -> None:
    found = ice(
        f"a=candidate:{HOST}",
        f"a=candidate:{REFLEXIVE}",
        session=(f"a=ice-pwd:{PASSWORD}", f"a=ice-ufrag:{UFRAG}"),
    )
    assert found == IceDescription(
        UFRAG, PASSWORD, (IceCandidate.parse(HOST), IceCandidate.parse(REFLEXIVE)), lite=False, more=False
    )


def test_the_credentials_of_the_m_line_come_first() -> None:
    session = (f"a=ice-pwd:{PASSWORD}", "a=ice-ufrag:other")
    found = ice(f"a=ice-ufrag:{UFRAG}", session=session)
    assert found is not None
    assert found.credentials == (UFRAG, PASSWORD)


def test_a_description_without_credentials_does_without_ice() -> None:
    assert ice(f"a=candidate:{HOST}") is None


@pytest.mark.parametrize(
    "lines",
    [
        (f"a=ice-ufrag:{UFRAG}",),
        (f"a=ice-pwd:{PASSWORD}",),
        ("a=ice-ufrag:abc", f"a=ice-pwd:{PASSWORD}"),
        (f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD[:21]}"),
        (f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD} x"),
        (f"a=ice-ufrag:{'u' * 257}", f"a=ice-pwd:{PASSWORD}"),
    ],
)
def test_credentials_that_nobody_can_use(lines: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        ice(*lines)


def test_a_candidate_that_cannot_be_read_is_left_out() -> None:
    credentials = (f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD}")
    found = ice(*credentials, "a=candidate:nonsense", f"a=candidate:{HOST}")
    assert found is not None
    assert [each.address for each in found.candidates] == ["203.0.113.141"]


def test_a_flood_of_candidates_is_cut() -> None:
    many = [f"a=candidate:1 1 udp 1 192.0.2.1 {port} typ host" for port in range(1, 1000)]
    found = ice(f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD}", *many)
    assert found is not None
    assert len(found.candidates) == MAX_CANDIDATES


def test_a_lite_side_says_so_for_the_session() -> None:
    credentials = (f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD}")
    lite = ice(*credentials, session=("a=ice-lite",))
    full = ice(*credentials)
    assert lite is not None
    assert full is not None
    assert (lite.lite, full.lite) == (True, False)


@pytest.mark.parametrize(
    ("lines", "more"),
    [
        ((), False),
        (("a=ice-options:ice2",), False),
        (("a=ice-options:trickle",), True),
        (("a=ice-options:ice2 trickle",), True),
        (("a=ice-options:trickle", "a=end-of-candidates"), False),
    ],
)
def test_more_candidates_may_come_from_who_trickles_and_has_not_ended(
    lines: tuple[str, ...], more: bool
) -> None:
    """RFC 8840 §4.1."""
    found = ice(f"a=ice-ufrag:{UFRAG}", f"a=ice-pwd:{PASSWORD}", *lines)
    assert found is not None
    assert found.more is more


def test_what_we_write_can_be_read() -> None:
    ours = IceDescription(UFRAG, PASSWORD, (IceCandidate.parse(HOST), IceCandidate.parse(REFLEXIVE)))
    assert ice(*(f"a={attribute}" for attribute in ours.attributes())) == ours
    assert Attribute("end-of-candidates") in ours.attributes()


def test_a_password_is_not_shown() -> None:
    assert PASSWORD not in repr(IceDescription(UFRAG, PASSWORD))
    with pytest.raises(LocalProtocolError) as caught:
        IceDescription("u", PASSWORD)
    assert PASSWORD not in str(caught.value)
