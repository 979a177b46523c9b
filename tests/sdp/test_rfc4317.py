"""The exchanges of RFC 4317, read by Alice and by Bob, and answered by us in the place of either.

Where our answers differ from the RFC's it is by design: one codec is named; and we have one audio stream
here, so video is refused, and a stream of events alone.
"""

from __future__ import annotations

from sipstack.sdp import (
    STATIC_CODECS,
    Agreement,
    Capabilities,
    Codec,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
    agreed,
    parse,
)

PCMU, PCMA, MPV = STATIC_CODECS[0], STATIC_CODECS[8], STATIC_CODECS[32]
ILBC = Codec(97, "iLBC", 8000)
EVENTS = Codec(101, "telephone-event", 8000)
G711 = Capabilities((PCMU, PCMA), ptime=None)
ONLY_ILBC = Capabilities((ILBC, EVENTS), ptime=None)

AUDIO = (
    "m=audio 49170 RTP/AVP 0 8 97",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:97 iLBC/8000",
)
VIDEO = ("m=video 51372 RTP/AVP 31 32", "a=rtpmap:31 H261/90000", "a=rtpmap:32 MPV/90000")
H261 = "a=rtpmap:31 H261/90000"
TONES = ("m=audio 49172 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=sendonly")


def described(
    user: str, session: int, version: int, host: str, connection: str, media: tuple[str, ...]
) -> str:
    head = ["v=0", f"o={user} {session} {version} IN IP4 {host}", "s=", f"c=IN IP4 {connection}", "t=0 0"]
    return "\r\n".join([*head, *media, ""])


def alice(version: int, *media: str, at: str = "host.atlanta.example.com") -> SessionDescription:
    return parse(described("alice", 2890844526, 2890844520 + version, "host.atlanta.example.com", at, media))


def bob(version: int, *media: str, at: str = "host.biloxi.example.com") -> SessionDescription:
    return parse(described("bob", 2808844564, 2808844560 + version, "host.biloxi.example.com", at, media))


def as_bob(
    offer: SessionDescription, ours: Capabilities, port: int, previous: SessionDescription | None = None
) -> SessionDescription:
    return answering(offer, ours, bob(4).origin, BILOXI, port, previous)


def answering(
    offer: SessionDescription,
    ours: Capabilities,
    origin: Origin,
    host: str,
    port: int,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """Our answer with one audio stream; ``previous`` is our description before."""
    media = previous.media if previous else ()
    slots = tuple("audio" if medium.kind == "audio" and not medium.rejected else None for medium in media)
    negotiation = Negotiation(origin, host, previous, slots)
    return negotiation.answer(offer, {"audio": MediaStream("audio", ours, port)}).local


def media_lines(description: SessionDescription) -> list[str]:
    return [str(medium.line) for medium in description.media]


def sound(agreements: tuple[Agreement, ...]) -> list[tuple[str, int, Codec, Direction]]:
    """What each stream comes to: where it goes, what is sent, which way."""
    return [(stream.address, stream.port, stream.codec, stream.direction) for stream in agreements]


S, O, R, I = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE  # noqa: E741
ATLANTA, BILOXI = "host.atlanta.example.com", "host.biloxi.example.com"


def test_2_1_audio_and_video_1() -> None:
    offer = alice(6, *AUDIO, *VIDEO)
    answer = bob(
        4,
        "m=audio 49174 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        "m=video 49170 RTP/AVP 32",
        "a=rtpmap:32 MPV/90000",
    )
    assert sound(agreed(offer, answer)) == [(BILOXI, 49174, PCMU, S), (BILOXI, 49170, MPV, S)]
    assert sound(agreed(answer, offer)) == [(ATLANTA, 49170, PCMU, S), (ATLANTA, 51372, MPV, S)]
    ours = as_bob(offer, G711, 49174)
    assert media_lines(ours) == ["audio 49174 RTP/AVP 0", "video 0 RTP/AVP 31 32"]


def test_2_2_a_second_offer_to_limit_the_choice() -> None:
    offer = alice(6, *AUDIO, *VIDEO)
    answer = bob(
        4,
        *("m=audio 49172 RTP/AVP 0 8", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000"),
        *("m=video 0 RTP/AVP 31", H261),
    )
    second = alice(7, "m=audio 51372 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", H261)
    second_answer = bob(5, "m=audio 49172 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", H261)
    assert sound(agreed(offer, answer)) == [(BILOXI, 49172, PCMU, S)]
    assert sound(agreed(second, second_answer)) == [(BILOXI, 49172, PCMU, S)]
    # We, as Bob: one codec at once, so the second answer changes in nothing but the formats of the video.
    first = as_bob(offer, G711, 49172)
    assert media_lines(first) == ["audio 49172 RTP/AVP 0", "video 0 RTP/AVP 31 32"]
    again = as_bob(second, G711, 49172, first)
    assert media_lines(again) == ["audio 49172 RTP/AVP 0", "video 0 RTP/AVP 31"]
    assert again.origin == second_answer.origin


def test_2_3_the_answer_has_another_payload_number() -> None:
    offer = alice(6, *AUDIO, *VIDEO)
    answer = bob(4, "m=audio 49172 RTP/AVP 99", "a=rtpmap:99 iLBC/8000", "m=video 51374 RTP/AVP 31", H261)
    alices, _ = agreed(offer, answer)
    assert (alices.codec, alices.receive) == (ILBC.numbered(99), {0: PCMU, 8: PCMA, 97: ILBC})
    bobs, _ = agreed(answer, offer)
    assert (bobs.codec, bobs.receive) == (ILBC, {99: ILBC.numbered(99)})
    assert as_bob(offer, ONLY_ILBC, 49172).media[0].codecs == (ILBC,)


def test_2_4_two_audio_streams() -> None:
    speech = ("m=audio 49170 RTP/AVP 0 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:97 iLBC/8000")
    ours = as_bob(alice(6, *speech, *TONES), ONLY_ILBC, 49172)
    assert media_lines(ours) == ["audio 49172 RTP/AVP 97", "audio 0 RTP/AVP 98"]


def test_2_5_an_answer_that_changes_nothing_keeps_its_version() -> None:
    """Bob moves to another host; Alice's side is as it was (without the video here)."""
    only = Capabilities((ILBC,), ptime=None)
    negotiation = Negotiation(alice(6).origin, ATLANTA)
    offer = negotiation.offer({"audio": MediaStream("audio", only, 49170)}).local
    moved = bob(5, "m=audio 49178 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", at="newhost.biloxi.example.com")
    answer = answering(moved, only, offer.origin, ATLANTA, 49170, offer)
    assert answer is offer
    assert sound(agreed(answer, moved)) == [("newhost.biloxi.example.com", 49178, ILBC, S)]


def test_2_6_the_first_stream_that_fits_is_taken() -> None:
    offer = alice(
        6,
        *("m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"),
        *("m=audio 51372 RTP/AVP 97 101", "a=rtpmap:97 iLBC/8000", "a=rtpmap:101 telephone-event/8000"),
    )
    ours = as_bob(offer, ONLY_ILBC, 49170)
    assert media_lines(ours) == ["audio 0 RTP/AVP 0", "audio 49170 RTP/AVP 97 101"]
    (stream,) = agreed(ours, offer)
    assert (stream.index, stream.port, stream.codec) == (1, 51372, ILBC)
    assert stream.telephone_event == EVENTS


def test_2_8_video_at_another_host() -> None:
    answer = bob(
        4,
        *("m=audio 49174 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"),
        *("m=video 49172 RTP/AVP 32", "c=IN IP4 otherhost.biloxi.example.com", "a=rtpmap:32 MPV/90000"),
    )
    assert sound(agreed(alice(6, *AUDIO, *VIDEO), answer)) == [
        (BILOXI, 49174, PCMU, S),
        ("otherhost.biloxi.example.com", 49172, MPV, S),
    ]


def test_3_1_bob_answers_with_hold_and_takes_her_off_hold() -> None:
    offer = alice(6, "m=audio 49170 RTP/AVP 0 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:97 iLBC/8000")
    held = bob(
        4,
        *("m=audio 49172 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", "a=sendonly"),
        at="placeholder.biloxi.example.com",
    )
    resumed = bob(5, "m=audio 49170 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")
    assert sound(agreed(offer, held)) == [("placeholder.biloxi.example.com", 49172, ILBC, R)]
    ours = answering(resumed, ONLY_ILBC, offer.origin, ATLANTA, 49178, offer)
    assert ours.values("o") == ("alice 2890844526 2890844527 IN IP4 host.atlanta.example.com",)
    assert media_lines(ours) == ["audio 49178 RTP/AVP 97"]
    assert sound(agreed(ours, resumed)) == [(BILOXI, 49170, ILBC, S)]


def test_3_2_hold_of_one_of_two_streams() -> None:
    hold = bob(
        5,
        *("m=audio 49172 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", "a=sendonly"),
        *("m=audio 49174 RTP/AVP 98", "a=rtpmap:98 telephone-event/8000", "a=recvonly"),
    )
    ours = answering(hold, ONLY_ILBC, alice(7).origin, ATLANTA, 49170)
    assert media_lines(ours) == ["audio 49170 RTP/AVP 97", "audio 0 RTP/AVP 98"]
    assert sound(agreed(ours, hold)) == [(BILOXI, 49172, ILBC, R)]


def test_4_1_a_second_audio_stream_is_added() -> None:
    added = bob(
        5,
        *("m=audio 49170 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", "m=audio 48282 RTP/AVP 98"),
        *("c=IN IP4 mediaserver.biloxi.example.com", "a=rtpmap:98 telephone-event/8000", "a=recvonly"),
    )
    ours = answering(added, ONLY_ILBC, alice(6).origin, ATLANTA, 49170)
    assert media_lines(ours) == ["audio 49170 RTP/AVP 97", "audio 0 RTP/AVP 98"]


def test_4_2_and_4_3_video_is_added_and_deleted() -> None:
    plain = alice(6, "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
    both = alice(7, "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 49172 RTP/AVP 31", H261)
    deleted = alice(8, "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "m=video 0 RTP/AVP 31", H261)
    first = as_bob(plain, G711, 49172)
    second = as_bob(both, G711, 49172, first)
    third = as_bob(deleted, G711, 49172, second)
    assert [media_lines(first), media_lines(second)] == [
        ["audio 49172 RTP/AVP 0"],
        ["audio 49172 RTP/AVP 0", "video 0 RTP/AVP 31"],
    ]
    assert third is second
    assert second.values("o") == ("bob 2808844564 2808844565 IN IP4 host.biloxi.example.com",)


def test_5_1_no_media_then_audio_added() -> None:
    nothing = as_bob(alice(6), ONLY_ILBC, 49172)
    assert str(nothing.with_lines("s", "")) == str(bob(4))
    assert agreed(nothing, alice(6)) == ()
    offer = alice(7, "m=audio 49170 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")
    answer = as_bob(offer, ONLY_ILBC, 49172, nothing)
    assert answer.values("o") == ("bob 2808844564 2808844565 IN IP4 host.biloxi.example.com",)
    assert sound(agreed(answer, offer)) == [(ATLANTA, 49170, ILBC, S)]


def test_5_2_an_offer_of_0_0_0_0() -> None:
    black_hole = alice(6, "m=audio 23442 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", at="0.0.0.0")
    ours = as_bob(black_hole, ONLY_ILBC, 49170)
    (stream,) = agreed(ours, black_hole)
    assert (stream.direction, stream.rtcp_port) == (R, 0)
    real = alice(7, "m=audio 49170 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")
    assert sound(agreed(as_bob(real, ONLY_ILBC, 49170, ours), real)) == [(ATLANTA, 49170, ILBC, S)]


def test_5_3_an_answer_of_0_0_0_0() -> None:
    offer = alice(6, "m=audio 49170 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")
    black_hole = bob(4, "m=audio 9322 RTP/AVP 97", "a=rtpmap:97 iLBC/8000", at="0.0.0.0")
    assert sound(agreed(offer, black_hole)) == [("0.0.0.0", 9322, ILBC, R)]
    real = bob(5, "m=audio 49172 RTP/AVP 97", "a=rtpmap:97 iLBC/8000")
    ours = answering(real, Capabilities((ILBC,), ptime=None), offer.origin, ATLANTA, 49170)
    assert sound(agreed(ours, real)) == [(BILOXI, 49172, ILBC, S)]
