"""Making offers and answers (RFC 3264 §5, §6, §8)."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipstack.errors import LocalProtocolError, NegotiationError
from sipstack.sdp import (
    STATIC_CODECS,
    Attribute,
    Capabilities,
    Codec,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    PlainRtp,
    SessionDescription,
    agreed,
    parse,
)
from tests.sdp import endpoints
from tests.sdp.strategies import offers

S, O, R, I = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE  # noqa: E741
PCMU, PCMA, CN = STATIC_CODECS[0], STATIC_CODECS[8], STATIC_CODECS[13]
OPUS = Codec(96, "opus", 48000, 2, "useinbandfec=1")
EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")
EVENTS_48 = Codec(102, "telephone-event", 48000, 1, "0-16")
OURS = Capabilities((PCMU, PCMA, EVENTS))
WIDE = Capabilities((OPUS, PCMU, PCMA, EVENTS, EVENTS_48, CN))
ORIGIN = Origin("-", 7, 1, "192.0.2.1")


def after(previous: SessionDescription | None, address: str = "192.0.2.1") -> Negotiation:
    """A session of one audio stream, of which ``previous`` is our last description."""
    media = previous.media if previous else ()
    slots = tuple("audio" if medium.kind == "audio" and not medium.rejected else None for medium in media)
    return Negotiation(ORIGIN, address, previous, slots)


def offer(
    capabilities: Capabilities = OURS,
    *,
    port: int = 40000,
    direction: Direction = S,
    rtcp_port: int | None = None,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    stream = MediaStream("audio", capabilities, port, direction, rtcp_port)
    return after(previous).offer({"audio": stream}).local


def answer(
    text: str | SessionDescription,
    capabilities: Capabilities = OURS,
    *,
    address: str = "192.0.2.1",
    direction: Direction = S,
    rtcp_port: int | None = None,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    stream = MediaStream("audio", capabilities, 40000, direction, rtcp_port)
    offered = parse(text) if isinstance(text, str) else text
    return after(previous, address).answer(offered, {"audio": stream}).local


def peer(*media: str, connection: str = "c=IN IP4 192.0.2.2") -> str:
    return "\n".join(["v=0", "o=peer 1 1 IN IP4 192.0.2.2", "s=-", connection, "t=0 0", *media])


@attrs.frozen
class Keyed(PlainRtp):
    """A profile with a line of its own, as SRTP has (RFC 4568)."""

    key: str = ""

    def offer(self) -> tuple[Attribute, ...]:
        return (Attribute("crypto", self.key),)


def media_lines(description: SessionDescription) -> list[str]:
    return [str(medium.line) for medium in description.media]


# An offer that cannot be


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_an_offer_needs_a_port(port: int) -> None:
    with pytest.raises(LocalProtocolError):
        offer(port=port)


@pytest.mark.parametrize("address", ["", "192.0.2.1 x", "192.0.2.1\r\na=inactive"])
def test_an_offer_needs_an_address(address: str) -> None:
    with pytest.raises(LocalProtocolError):
        Negotiation(ORIGIN, address).offer({"audio": MediaStream("audio", OURS, 40000)})


@pytest.mark.parametrize("origin", [Origin("-", 2**63, 1, "host"), Origin("-", 1, 2**63, "host")])
def test_session_id_and_version_have_63_bits(origin: Origin) -> None:
    with pytest.raises(LocalProtocolError):
        Negotiation(origin, "192.0.2.1").offer({"audio": MediaStream("audio", OURS, 40000)})


def test_a_codec_cannot_smuggle_in_a_line() -> None:
    with pytest.raises(LocalProtocolError):
        offer(Capabilities((Codec(96, "x", 8000, 1, "a=1\r\na=inactive"),)))


# Offers


def test_a_first_offer() -> None:
    assert str(offer()) == "\r\n".join(
        [
            "v=0",
            "o=- 7 1 IN IP4 192.0.2.1",
            "s=-",
            "c=IN IP4 192.0.2.1",
            "t=0 0",
            "m=audio 40000 RTP/AVP 0 8 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendrecv",
            "",
        ]
    )


def test_what_an_offer_may_say_besides() -> None:
    capabilities = Capabilities((PCMU,), ptime=None, rtcp_mux=True)
    stream = MediaStream("audio", capabilities, 40000, R, 50000, profiles=(PlainRtp("RTP/AVPF"),))
    described = Negotiation(ORIGIN, "2001:db8::1").offer({"audio": stream}).local
    assert described.values("c") == ("IN IP6 2001:db8::1",)
    assert described.media[0].lines == (
        "m=audio 40000 RTP/AVPF 0",
        "a=rtpmap:0 PCMU/8000",
        "a=rtcp:50000",
        "a=rtcp-mux",
        "a=recvonly",
    )


def test_the_usual_rtcp_port_needs_no_line() -> None:
    assert offer(rtcp_port=40001) == offer()


# Answers that cannot be


@pytest.mark.parametrize(
    "media",
    [
        ["m=video 51372 RTP/AVP 31"],
        ["m=image 4862 udptl t38"],
        ["m=audio 40002 RTP/AVP 18"],
        ["m=audio 40002 RTP/AVP 99"],
        ["m=audio 40002 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"],
        ["m=audio 40002 RTP/SAVP 0"],
        ["m=audio 40002 UDP/TLS/RTP/SAVPF 0"],
        ["m=audio 40002 RTP/AVP 0", "c=IN IP6 2001:db8::2"],
        ["m=audio 40002 RTP/AVP 0", "c=AF IP4 127.0.0.1"],
        ["m=audio 40002 RTP/AVP 0", "c=IN NSAP 47.0091.8100"],
        ["m=audio 40002 RTP/AVP 0", "c=nowhere"],
        ["m=audio 40002 RTP/AVP 0", "c=IN IP4 233.252.0.1/127"],
        ["m=audio 40002 RTP/AVP"],
        ["m=audio 0 RTP/AVP 0", "m=video 51372 RTP/AVP 31"],
    ],
)
def test_nothing_in_common(media: list[str]) -> None:
    with pytest.raises(NegotiationError) as caught:
        answer(peer(*media))
    assert caught.value.status == 488


def test_a_stream_without_an_address_cannot_be_taken() -> None:
    with pytest.raises(NegotiationError):
        answer(peer("m=audio 40002 RTP/AVP 0", connection="a=x"))


# Answers


def test_an_answer_to_asterisk() -> None:
    assert str(answer(endpoints.ASTERISK)) == "\r\n".join(
        [
            "v=0",
            "o=- 7 1 IN IP4 192.0.2.1",
            "s=-",
            "c=IN IP4 192.0.2.1",
            "t=0 0",
            "m=audio 40000 RTP/AVP 0 101",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=fmtp:101 0-16",
            "a=ptime:20",
            "a=sendrecv",
            "",
        ]
    )


def test_the_offerers_order_chooses_unless_ours_is_asked_for() -> None:
    text = peer("m=audio 40002 RTP/AVP 8 0")
    assert media_lines(answer(text)) == ["audio 40000 RTP/AVP 8"]
    assert media_lines(answer(text, attrs.evolve(OURS, prefer_own=True))) == ["audio 40000 RTP/AVP 0"]


def test_an_answer_uses_the_offers_numbers() -> None:
    text = peer(
        "m=audio 40002 RTP/AVP 111 110 126 13",
        "a=rtpmap:111 OPUS/48000/2",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
    )
    assert answer(text, WIDE).media[0].codecs == (OPUS.numbered(111), EVENTS_48.numbered(110))


def test_what_goes_beside_has_the_clock_of_the_codec() -> None:
    """Browsers offer two telephone-events; comfort noise is at 8000 only."""
    text = peer(
        "m=audio 40002 RTP/AVP 110 126 127 13 0",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=rtpmap:127 telephone-event/8000",
    )
    assert answer(text, WIDE).media[0].codecs == (PCMU, EVENTS.numbered(126), CN)


def test_opus_without_an_event_of_its_clock_goes_without() -> None:
    text = peer(
        "m=audio 40002 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000"
    )
    assert answer(text, WIDE).media[0].codecs == (OPUS,)


def test_all_other_m_lines_are_rejected_in_place() -> None:
    text = peer(
        "m=video 51372/2 RTP/AVP 31 32",
        "m=audio 40002 RTP/SAVP 0 8",
        "m=audio 40004 RTP/AVP 8",
        "m=audio 40006 RTP/AVP 0",
        "m=image 4862 udptl t38",
        "m=video 0 RTP/AVP",
    )
    assert media_lines(answer(text)) == [
        "video 0 RTP/AVP 31 32",
        "audio 0 RTP/SAVP 0 8",
        "audio 40000 RTP/AVP 8",
        "audio 0 RTP/AVP 0",
        "image 0 udptl t38",
        "video 0 RTP/AVP 0",
    ]


def test_the_protocol_is_the_offers_when_a_profile_of_ours_has_it() -> None:
    text = peer("m=audio 40002 RTP/SAVP 0", "m=audio 40002 RTP/AVPF 0")
    stream = MediaStream("audio", OURS, 40000, profiles=(PlainRtp("RTP/SAVP"), PlainRtp("RTP/AVPF")))
    secure = Negotiation(ORIGIN, "192.0.2.1").answer(parse(text), {"audio": stream}).local
    assert media_lines(secure) == ["audio 40000 RTP/SAVP 0", "audio 0 RTP/AVPF 0"]
    assert media_lines(answer(text)) == ["audio 0 RTP/SAVP 0", "audio 40000 RTP/AVPF 0"]


def test_an_ipv6_offer_is_for_an_ipv6_address() -> None:
    text = peer("m=audio 40002 RTP/AVP 0", connection="c=IN IP6 2001:db8::2")
    assert answer(text, address="2001:db8::1").values("c") == ("IN IP6 2001:db8::1",)


@pytest.mark.parametrize(
    ("attribute", "answered"),
    [("a=x", S), ("a=sendrecv", S), ("a=sendonly", R), ("a=recvonly", O), ("a=inactive", I)],
)
def test_the_direction_answers_the_one_offered(attribute: str, answered: Direction) -> None:
    text = peer("m=audio 40002 RTP/AVP 0", attribute)
    assert answer(text).media[0].direction is answered


def test_our_wish_narrows_the_direction_further() -> None:
    text = peer("m=audio 40002 RTP/AVP 0")
    assert [answer(text, direction=wish).media[0].direction for wish in (S, O, R, I)] == [S, O, R, I]
    held = peer("m=audio 40002 RTP/AVP 0", "a=sendonly")
    assert [answer(held, direction=wish).media[0].direction for wish in (S, O, R, I)] == [R, I, R, I]


def test_the_hold_of_rfc_2543() -> None:
    text = peer("m=audio 40002 RTP/AVP 0", connection="c=IN IP4 0.0.0.0")
    assert answer(text).media[0].direction is R


def test_rtcp_mux_takes_both_sides() -> None:
    willing = attrs.evolve(OURS, rtcp_mux=True)
    plain, mux = peer("m=audio 40002 RTP/AVP 0"), peer("m=audio 40002 RTP/AVP 0", "a=rtcp-mux")
    muxed = [answer(text, ours).media[0].rtcp_mux for text in (plain, mux) for ours in (OURS, willing)]
    assert muxed == [False, False, False, True]


def test_an_answer_names_its_rtcp_port_when_it_is_not_the_next() -> None:
    text = peer("m=audio 40002 RTP/AVP 0")
    assert answer(text, rtcp_port=50001).media[0].rtcp == (50001, None)


def test_an_answer_has_the_times_of_the_offer() -> None:
    """RFC 3264 §6."""
    text = peer("m=audio 40002 RTP/AVP 0").replace("t=0 0", "t=3724394400 3724398000")
    assert answer(text).values("t") == ("3724394400 3724398000",)
    assert answer(text.replace("t=3724394400 3724398000\n", "")).values("t") == ("0 0",)


@pytest.mark.parametrize(
    "media", [[], ["m=audio 0 RTP/AVP 0"], ["m=audio 0 RTP/AVP 0", "m=video 0 RTP/AVP 31"]]
)
def test_an_offer_of_nothing_is_answered_with_nothing(media: list[str]) -> None:
    """Legal (RFC 3264 §5, §8.2), and how third party call control starts (RFC 3725)."""
    text = peer(*media)
    assert media_lines(answer(text)) == media_lines(parse(text))
    assert agreed(answer(text), parse(text)) == ()


# The version in o= (RFC 3264 §8)


def test_an_identical_re_offer_has_the_same_version() -> None:
    first = offer()
    assert offer(previous=first) is first


def test_a_changed_description_has_the_next_version() -> None:
    first = offer()
    held = offer(direction=O, previous=first)
    assert held.values("o") == ("- 7 2 IN IP4 192.0.2.1",)
    assert offer(direction=O, previous=held) is held
    assert offer(previous=held).origin.session_version == 3


def test_answers_and_offers_of_one_side_count_together() -> None:
    text = peer("m=audio 40002 RTP/AVP 0")
    first = answer(text)
    assert answer(text, previous=first) is first
    held = offer(direction=O, previous=first)
    assert held.origin.session_version == 2
    assert answer(text, previous=held).origin.session_version == 3


def test_the_origin_stays_though_the_address_changes() -> None:
    before = Negotiation(Origin("x", 9, 9, "host"), "192.0.2.9", offer(), ("audio",))
    moved = before.offer({"audio": MediaStream("audio", OURS, 1)}).local
    assert moved.values("o") == ("- 7 2 IN IP4 192.0.2.1",)
    assert moved.values("c") == ("IN IP4 192.0.2.9",)


def test_the_version_of_a_description_with_lines_of_our_own() -> None:
    def keyed(key: str, before: Negotiation) -> Negotiation:
        return before.offer({"audio": MediaStream("audio", OURS, 40000, profiles=(Keyed("RTP/SAVP", key),))})

    first = keyed("1 k", Negotiation(ORIGIN, "192.0.2.1"))
    assert keyed("1 k", first).local is first.local
    assert keyed("1 new", first).local.origin.session_version == 2


# Re-offers (RFC 3264 §8)


def test_a_re_offer_keeps_number_and_order_of_the_m_lines() -> None:
    ours = answer(peer("m=video 51372 RTP/AVP 31", "m=audio 40002 RTP/AVP 0", "m=audio 40004 RTP/AVP 0"))
    assert media_lines(offer(previous=ours)) == [
        "video 0 RTP/AVP 31",
        "audio 40000 RTP/AVP 0 8 101",
        "audio 0 RTP/AVP 0",
    ]


def test_a_re_offer_takes_up_a_slot_that_was_refused() -> None:
    nothing = answer(peer("m=video 0 RTP/AVP 31", "m=audio 0 RTP/AVP 0"))
    assert media_lines(offer(previous=nothing)) == ["video 0 RTP/AVP 31", "audio 40000 RTP/AVP 0 8 101"]


def test_a_re_offer_adds_audio_where_there_was_none() -> None:
    nothing = answer(peer("m=video 0 RTP/AVP 31"))
    assert media_lines(offer(previous=nothing)) == ["video 0 RTP/AVP 31", "audio 40000 RTP/AVP 0 8 101"]
    assert media_lines(offer(previous=answer(peer()))) == ["audio 40000 RTP/AVP 0 8 101"]


def test_a_re_offer_has_the_codec_in_use_first_and_its_number() -> None:
    text = peer(
        "m=audio 40002 RTP/AVPF 8 111 110",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:110 telephone-event/8000",
    )
    streams = {"audio": MediaStream("audio", WIDE, 40000)}
    again = Negotiation(ORIGIN, "192.0.2.1").answer(parse(text), streams).offer(streams).local
    assert media_lines(again) == ["audio 40000 RTP/AVPF 8 111 0 110 102 13"]
    assert again.media[0].codecs[1] == OPUS.numbered(111)


def test_one_offer_of_the_peer_fixes_its_numbers() -> None:
    text = peer("m=audio 40002 RTP/AVP 111", "a=rtpmap:111 opus/48000/2")
    streams = {"audio": MediaStream("audio", WIDE, 40000)}
    again = Negotiation(ORIGIN, "192.0.2.1").answer(parse(text), streams).offer(streams).local
    assert media_lines(again) == ["audio 40000 RTP/AVP 111 0 8 101 102 13"]


def test_a_session_without_numbers_left_cannot_offer() -> None:
    maps = [f"a=rtpmap:{number} x{number}/8000" for number in range(1, 128)]
    taken = parse(peer(f"m=audio 40002 RTP/AVP {' '.join(str(number) for number in range(128))}", *maps))
    before = Negotiation(ORIGIN, "192.0.2.1").answer(taken, {"audio": MediaStream("audio", OURS, 40000)})
    with pytest.raises(NegotiationError, match="no payload type number left"):
        before.offer({"audio": MediaStream("audio", Capabilities((OPUS,)), 40000)})


# Properties

LEGAL = {S: {S, O, R, I}, O: {R, I}, R: {O, I}, I: {I}}
"""RFC 3264 §6.1: what may answer each direction."""


@given(offers(), st.sampled_from(Direction), st.sampled_from([OURS, WIDE]), st.booleans())
def test_the_answer_to_any_offer_is_legal(
    offered: SessionDescription, wish: Direction, capabilities: Capabilities, prefer_own: bool
) -> None:
    try:
        ours = answer(offered, attrs.evolve(capabilities, prefer_own=prefer_own), direction=wish)
    except NegotiationError:
        assert any(not medium.rejected for medium in offered.media)
        return
    assert parse(str(ours)) == ours
    assert [medium.kind for medium in ours.media] == [medium.kind for medium in offered.media]
    assert [medium.protocol for medium in ours.media] == [medium.protocol for medium in offered.media]
    accepted = [pair for pair in zip(offered.media, ours.media, strict=True) if not pair[1].rejected]
    assert len(accepted) <= 1
    for theirs, mine in accepted:
        assert not theirs.rejected
        assert set(mine.formats) <= set(theirs.formats)
        assert ours.direction_of(mine) in LEGAL[offered.direction_of(theirs)]
        assert [codec.auxiliary for codec in mine.codecs].count(False) == 1
        assert {codec.clock_rate for codec in mine.codecs} == {mine.codecs[0].clock_rate}
        in_offer = {codec.payload_type: codec.key for codec in theirs.codecs}
        assert all(in_offer[codec.payload_type] == codec.key for codec in mine.codecs)
    assert [agreement.codec.key for agreement in agreed(ours, offered)] == [
        mine.codecs[0].key for _, mine in accepted
    ]


@given(st.lists(offers(), min_size=1, max_size=4), st.sampled_from([OURS, WIDE]))
def test_the_numbers_of_our_offers_never_change_their_meaning(
    offered: list[SessionDescription], capabilities: Capabilities
) -> None:
    meaning: dict[int, object] = {}
    streams = {"audio": MediaStream("audio", capabilities, 40000)}
    session = Negotiation(ORIGIN, "192.0.2.1")
    for description in offered:
        try:
            session = session.answer(description, streams)
        except NegotiationError:
            continue  # an offer that was refused fixes nothing
        for medium in description.media:
            for codec in medium.codecs if medium.kind == "audio" else ():
                meaning.setdefault(codec.payload_type, codec.key)
        session = session.offer(streams)
        (ours,) = (medium for medium in session.local.media if not medium.rejected)
        for codec in ours.codecs:
            assert meaning.setdefault(codec.payload_type, codec.key) == codec.key


@given(offers(), offers())
def test_our_m_lines_never_get_fewer(first: SessionDescription, second: SessionDescription) -> None:
    streams = {"audio": MediaStream("audio", OURS, 40000)}
    session = Negotiation(ORIGIN, "192.0.2.1").offer(streams)
    for description in (first, second):
        if len(description.media) >= len(session.local.media):
            try:
                session = session.answer(description, streams)
            except NegotiationError:
                continue
        kinds = [medium.kind for medium in session.local.media]
        session = session.offer(streams)
        again = session.local
        assert [medium.kind for medium in again.media][: len(kinds)] == kinds
        assert len(again.media) <= len(kinds) + 1
        assert sum(not medium.rejected for medium in again.media) == 1
