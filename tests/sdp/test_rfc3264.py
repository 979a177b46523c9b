"""The examples of RFC 3264 §10, from both sides."""

from __future__ import annotations

from sipstack.sdp import (
    STATIC_CODECS,
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

PCMU, G723, G729, MPV = STATIC_CODECS[0], STATIC_CODECS[4], STATIC_CODECS[18], STATIC_CODECS[32]
BOB = Origin("bob", 2890844730, 2890844730, "host.example.com")


def alice(version: int, *media: str) -> SessionDescription:
    head = ["v=0", f"o=alice 2890844526 {version} IN IP4 host.anywhere.com", "s= "]
    return parse("\r\n".join([*head, "c=IN IP4 host.anywhere.com", "t=0 0", *media, ""]))


def bob(version: int, *media: str) -> SessionDescription:
    head = ["v=0", f"o=bob 2890844730 {version} IN IP4 host.example.com", "s= "]
    return parse("\r\n".join([*head, "c=IN IP4 host.example.com", "t=0 0", *media, ""]))


def media_lines(description: SessionDescription) -> list[str]:
    return [str(medium.line) for medium in description.media]


def audio_at(port: int, *codecs: Codec) -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", Capabilities(codecs), port)}


# §10.1, Basic Exchange

OFFER = alice(
    2890844526,
    "m=audio 49170 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "m=video 51372 RTP/AVP 31",
    "a=rtpmap:31 H261/90000",
    "m=video 53000 RTP/AVP 32",
    "a=rtpmap:32 MPV/90000",
)
ANSWER = bob(
    2890844730,
    "m=audio 49920 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "m=video 0 RTP/AVP 31",
    "m=video 53000 RTP/AVP 32",
    "a=rtpmap:32 MPV/90000",
)
SECOND_OFFER = bob(
    2890844731,
    "m=audio 65422 RTP/AVP 0",
    "a=rtpmap:0 PCMU/8000",
    "m=video 0 RTP/AVP 31",
    "m=video 53000 RTP/AVP 32",
    "a=rtpmap:32 MPV/90000",
    "m=audio 51434 RTP/AVP 110",
    "a=rtpmap:110 telephone-events/8000",
    "a=recvonly",
)


def test_10_1_as_alice() -> None:
    audio, video = agreed(OFFER, ANSWER)
    assert (audio.address, audio.port, audio.codec) == ("host.example.com", 49920, PCMU)
    assert (video.index, video.address, video.port, video.codec) == (2, "host.example.com", 53000, MPV)
    # "she responds": her audio as it was; the second one, events alone, is not for us
    session = Negotiation(OFFER.origin, "host.anywhere.com", OFFER, ("audio", None, None))
    second = session.answer(SECOND_OFFER, audio_at(49170, PCMU)).local
    assert second.values("o") == ("alice 2890844526 2890844527 IN IP4 host.anywhere.com",)
    assert media_lines(second) == [
        "audio 49170 RTP/AVP 0",
        "video 0 RTP/AVP 31",
        "video 0 RTP/AVP 32",
        "audio 0 RTP/AVP 110",
    ]
    (audio,) = agreed(second, SECOND_OFFER)
    assert (audio.port, audio.codec, audio.direction) == (65422, PCMU, Direction.SENDRECV)


def test_10_1_as_bob() -> None:
    session = Negotiation(BOB, "host.example.com").answer(OFFER, audio_at(49920, PCMU))
    first = session.local
    assert media_lines(first) == ["audio 49920 RTP/AVP 0", "video 0 RTP/AVP 31", "video 0 RTP/AVP 32"]
    # "Bob decides to change the port where he will receive the audio stream"
    second = session.offer(audio_at(65422, PCMU)).local
    assert second.values("o") == ("bob 2890844730 2890844731 IN IP4 host.example.com",)
    assert media_lines(second) == ["audio 65422 RTP/AVP 0", "video 0 RTP/AVP 31", "video 0 RTP/AVP 32"]


# §10.2, One of N Codec Selection

ONE_OF_N = alice(
    2890844526,
    "m=audio 62986 RTP/AVP 0 4 18",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:4 G723/8000",
    "a=rtpmap:18 G729/8000",
    "a=inactive",
)
TWO_REMAIN = bob(
    2890844730,
    "m=audio 54344 RTP/AVP 0 4",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:4 G723/8000",
    "a=inactive",
)
ONE_REMAINS = alice(2890844527, "m=audio 62986 RTP/AVP 4", "a=rtpmap:4 G723/8000", "a=sendrecv")


def test_10_2_as_alice() -> None:
    (audio,) = agreed(ONE_OF_N, TWO_REMAIN)
    assert audio.direction is Direction.INACTIVE
    assert audio.receive == {0: PCMU, 4: G723, 18: G729}
    # "Alice ... allocates resources for only a single codec and sends ..." the media now flows
    only = MediaStream("audio", Capabilities((G723,), ptime=None), 62986)
    session = Negotiation(ONE_OF_N.origin, "host.anywhere.com", ONE_OF_N, ("audio",))
    second = session.offer({"audio": only}).local
    assert second.with_lines("s", " ") == ONE_REMAINS


def test_10_2_as_bob() -> None:
    both = audio_at(54344, PCMU, G723)
    session = Negotiation(BOB, "host.example.com").answer(ONE_OF_N, both)
    first = session.local
    assert (media_lines(first), first.media[0].direction) == (["audio 54344 RTP/AVP 0"], Direction.INACTIVE)
    second = session.answer(ONE_REMAINS, both).local
    assert second.values("o") == ("bob 2890844730 2890844731 IN IP4 host.example.com",)
    (audio,) = agreed(second, ONE_REMAINS)
    assert (audio.codec, audio.direction) == (G723, Direction.SENDRECV)
