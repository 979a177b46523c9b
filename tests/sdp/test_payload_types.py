"""The payload type numbers that a session has fixed (RFC 3264 §8.3.2)."""

from __future__ import annotations

from sipstack.sdp import STATIC_CODECS, Codec, PayloadTypes, SessionDescription, parse

PCMU = STATIC_CODECS[0]
OPUS = Codec(96, "opus", 48000, 2, "useinbandfec=1")
EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")
OURS = (OPUS, PCMU, EVENTS)


def audio(formats: str, *attributes: str) -> SessionDescription:
    head = "v=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\n"
    return parse(
        head + "\n".join([f"m=audio 40000 RTP/AVP {formats}", *(f"a={line}" for line in attributes)])
    )


def after(*descriptions: SessionDescription) -> PayloadTypes:
    """A session that exchanged these, oldest first."""
    session = PayloadTypes()
    for description in descriptions:
        for medium in description.media:
            session = session.keeping(medium.kind, medium.codecs)
    return session


def test_a_session_that_fixed_nothing_uses_our_numbers() -> None:
    assert PayloadTypes().numbered("audio", OURS) == (OPUS, PCMU, EVENTS)


def test_a_codec_keeps_the_number_it_had_first() -> None:
    """They offered opus as 111; what we offer later is 111 too."""
    offered = audio("111 0", "rtpmap:111 opus/48000/2")
    later = audio("120", "rtpmap:120 opus/48000/2")
    assert after(offered).numbered("audio", OURS) == (OPUS.numbered(111), PCMU, EVENTS)
    assert after(offered, later).numbered("audio", OURS) == (OPUS.numbered(111), PCMU, EVENTS)


def test_a_number_that_they_gave_to_another_codec_is_not_ours_any_more() -> None:
    session = after(audio("96 101", "rtpmap:96 speex/16000", "rtpmap:101 iLBC/8000"))
    assert session.numbered("audio", OURS) == (OPUS.numbered(97), PCMU, EVENTS.numbered(98))


def test_the_rule_holds_for_the_whole_session() -> None:
    """96 was speex once; that it is not offered any more does not free it."""
    session = after(audio("96", "rtpmap:96 speex/16000"), audio("0"))
    assert session.numbered("audio", OURS) == (OPUS.numbered(97), PCMU, EVENTS)


def test_other_kinds_of_media_have_numbers_of_their_own() -> None:
    media = "m=video 40000 RTP/AVP 96\na=rtpmap:96 VP8/90000\nm=image 9 udptl t38\n"
    video = parse("v=0\no=- 1 1 IN IP4 192.0.2.2\n" + media)
    assert after(video).numbered("audio", OURS) == (OPUS, PCMU, EVENTS)


def test_a_codec_for_which_no_number_is_left_is_dropped() -> None:
    everything = [f"rtpmap:{number} x{number}/8000" for number in range(128)]
    taken = after(audio(" ".join(str(number) for number in range(128)), *everything))
    assert taken.numbered("audio", OURS) == ()


def test_behind_96_to_127_come_35_to_63() -> None:
    upper = [f"rtpmap:{number} x{number}/8000" for number in range(96, 128)]
    session = after(audio(" ".join(str(number) for number in range(96, 128)), *upper))
    assert session.numbered("audio", OURS) == (OPUS.numbered(35), PCMU, EVENTS.numbered(36))
