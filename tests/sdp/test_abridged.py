"""What is kept of the descriptions of a secured session where there is little room."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.sdp import Capabilities, Codec, Direction, MediaStream, Negotiation, parse
from sipstack.sdp.abridged import abridged
from sipstack.sdp.recordable import Keying, keying_of, recordable
from tests.sdp import endpoints


def described(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


BROWSER = recordable(described(endpoints.BROWSER))
FINGERPRINT = ":".join(["E4"] * 32)
OURS = recordable(
    described(f"""\
v=0
o=- 705747361939612347 3 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
a=group:BUNDLE 0
m=audio 55228 UDP/TLS/RTP/SAVPF 111 110
a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtpmap:110 telephone-event/48000
a=fmtp:110 0-16
a=ptime:20
a=rtcp-mux
a=mid:0
a=ice-ufrag:f9901c8622ed
a=ice-pwd:YH75Fviy6338Vbrhrlp8Yh
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:active
a=recvonly
m=video 0 UDP/TLS/RTP/SAVPF 96
""")
)
SDES = described("""\
v=0
o=- 1 1 IN IP4 192.0.2.1
s=-
c=IN IP4 192.0.2.1
t=0 0
m=audio 40000 RTP/SAVP 0
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:
a=sendrecv
""")


def streams() -> dict[str, MediaStream]:
    opus = Codec(111, "opus", 48000, 2)
    return {"audio": MediaStream("audio", Capabilities((opus,)), 40000, Direction.SENDRECV)}


def restored(local: bytes, remote: bytes) -> Negotiation:
    return Negotiation.restored(parse(local), parse(remote), {"audio": "audio"})


def test_nothing_of_a_lost_association_is_kept_but_the_sign_of_it() -> None:
    kept = abridged(OURS)
    assert FINGERPRINT.encode() not in kept
    assert b"f9901c8622ed" not in kept
    assert b"a=fingerprint:" in kept
    assert b"a=ice-ufrag:" in kept  # so that 0.0.0.0 is no hold


@pytest.mark.parametrize("one", [OURS, SDES])
@pytest.mark.parametrize("other", [BROWSER, SDES, OURS])
def test_how_it_was_keyed_is_told_as_before(one: bytes, other: bytes) -> None:
    assert keying_of(abridged(one), abridged(other)) is keying_of(one, other)


def test_it_is_as_protected_as_before() -> None:
    assert keying_of(abridged(OURS), abridged(BROWSER)) is Keying.DTLS
    assert keying_of(abridged(SDES), abridged(SDES)) is Keying.SDES


def test_the_next_offer_is_the_same_as_from_all_of_it() -> None:
    whole = restored(OURS, BROWSER)
    little = restored(abridged(OURS), abridged(BROWSER))
    offer = little.offer(streams()).local
    assert offer == whole.offer(streams()).local
    assert (offer.origin.session_id, offer.origin.session_version) == (705747361939612347, 4)


def test_m_lines_origin_and_direction_are_those_of_before() -> None:
    for description in (OURS, BROWSER):
        before, after = parse(description), parse(abridged(description))
        assert after.origin == before.origin
        for one, other in zip(before.media, after.media, strict=True):
            assert (other.kind, other.port, other.codecs) == (one.kind, one.port, one.codecs)
            assert after.direction_of(other) == before.direction_of(one)


def test_it_is_much_shorter() -> None:
    assert len(abridged(BROWSER)) < 0.7 * len(BROWSER)


LINES = [*BROWSER.splitlines(), *SDES.splitlines(), b"", b"a=", b"=", b"a=x-odd:\xff"]


@given(st.lists(st.sampled_from(LINES), max_size=20).map(b"\r\n".join))
def test_once_is_enough(description: bytes) -> None:
    assert abridged(abridged(description)) == abridged(description)


@given(st.binary(max_size=200))
def test_any_octets(description: bytes) -> None:
    assert len(abridged(description)) <= 2 * len(description) + 400
