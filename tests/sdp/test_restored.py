"""A session that goes on from its last descriptions, where nothing else of it is left (RFC 3264 §8)."""

from __future__ import annotations

import pytest

from sipstack.errors import NegotiationError, RemoteProtocolError
from sipstack.sdp import (
    STATIC_CODECS,
    Capabilities,
    Codec,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
    parse,
)
from sipstack.sdp.recordable import recordable

PCMU, PCMA = STATIC_CODECS[0], STATIC_CODECS[8]
OPUS = Codec(96, "opus", 48000, 2)
EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")
AUDIO = {"audio": "audio"}


def streams(port: int = 40000, direction: Direction = Direction.SENDRECV) -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", Capabilities((PCMU, PCMA, OPUS, EVENTS)), port, direction)}


def session(address: str = "192.0.2.1") -> Negotiation:
    return Negotiation(Origin("-", 7, 1, address), address)


def agreed() -> tuple[Negotiation, Negotiation]:
    """Who has offered, and who has answered."""
    offered = session().offer(streams())
    answered = session("192.0.2.2").answer(offered.local, streams(50000))
    return offered.answered(answered.local), answered


def again(negotiation: Negotiation, remote: SessionDescription) -> Negotiation:
    """As it comes back from octets."""
    return Negotiation.restored(parse(bytes(negotiation.local)), parse(bytes(remote)), AUDIO)


@pytest.mark.parametrize("offers", [True, False])
def test_either_side_has_what_it_had(offers: bool) -> None:
    caller, callee = agreed()
    ours, theirs = (caller, callee) if offers else (callee, caller)
    restored = again(ours, theirs.local)
    assert restored.agreements == ours.agreements
    assert restored.slots == ours.slots
    assert restored.local == ours.local


@pytest.mark.parametrize("offers", [True, False])
def test_the_next_offer_is_the_next_version_of_the_same_session(offers: bool) -> None:
    caller, callee = agreed()
    ours, theirs = (caller, callee) if offers else (callee, caller)
    restored = again(ours, theirs.local).offer(streams(45000, Direction.SENDONLY))
    assert restored.local == ours.offer(streams(45000, Direction.SENDONLY)).local
    assert restored.local.origin.session_id == 7
    assert restored.local.origin.session_version == ours.local.origin.session_version + 1


def test_an_offer_that_changes_nothing_keeps_its_version() -> None:
    caller, callee = agreed()
    assert again(caller, callee.local).offer(streams()).local == caller.local


def test_payload_type_numbers_stay_those_of_the_session() -> None:
    theirs = parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
        b"m=audio 4000 RTP/AVP 120 110\r\na=rtpmap:120 opus/48000/2\r\na=rtpmap:110 telephone-event/8000\r\n"
    )
    ours = session().answer(theirs, streams())
    offer = again(ours, theirs).offer(streams()).local
    numbers = {codec.name: codec.payload_type for codec in offer.media[0].codecs}
    assert numbers["opus"] == 120
    assert numbers["PCMU"] == 0
    assert 120 not in [number for name, number in numbers.items() if name != "opus"]


def test_m_lines_that_were_refused_stay_in_their_places() -> None:
    offer = parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
        b"m=video 4002 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4004 RTP/AVP 8\r\n"
    )
    ours = session().answer(offer, streams())
    restored = again(ours, offer)
    assert restored.slots == (None, "audio", None)
    assert [medium.port for medium in restored.offer(streams(45000)).local.media] == [0, 45000, 0]


def test_a_stream_that_is_held_comes_back_held() -> None:
    caller, callee = agreed()
    held = caller.offer(streams(direction=Direction.SENDONLY))
    answer = callee.answer(held.local, streams(50000))
    restored = again(held.answered(answer.local), answer.local)
    assert restored.agreements["audio"].direction is Direction.SENDONLY


def test_from_another_address_the_offer_names_it() -> None:
    caller, callee = agreed()
    restored = again(caller, callee.local)
    assert restored.address == "192.0.2.1"
    moved = MediaStream("audio", Capabilities((PCMU,)), 45000, address="192.0.2.77")
    offer = restored.offer({"audio": moved}).local
    connection = offer.connection_of(offer.media[0])
    assert connection is not None
    assert connection.address == "192.0.2.77"


def test_descriptions_that_do_not_fit_each_other_are_refused() -> None:
    caller, _ = agreed()
    other = parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\nm=video 4002 RTP/AVP 31\r\n")
    with pytest.raises(RemoteProtocolError, match="differ in number, order or kind"):
        again(caller, other)


def test_descriptions_without_a_codec_in_common_are_refused() -> None:
    caller, _ = agreed()
    other = parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4002 RTP/AVP 9\r\n"
    )
    with pytest.raises(NegotiationError, match="no codec in common"):
        again(caller, other)


def test_what_is_recordable_can_be_gone_on_from() -> None:
    """Its keys are gone, and everything else is there."""
    offer = parse(
        b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
        b"m=audio 4002 RTP/AVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"
        b"WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n"
    )
    ours = session().answer(offer, streams())
    restored = Negotiation.restored(
        parse(recordable(bytes(ours.local))), parse(recordable(bytes(offer))), AUDIO
    )
    assert restored.agreements["audio"].port == 4002
    assert "WVNf" not in str(restored.agreements["audio"].remote)
