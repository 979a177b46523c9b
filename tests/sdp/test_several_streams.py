"""Sessions of several streams, of one kind and of different kinds (RFC 3264 §6, §8)."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError, NegotiationError, RemoteProtocolError
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

PCMU = STATIC_CODECS[0]
VP8 = Codec(96, "VP8", 90000)
T140 = Codec(98, "t140", 1000)
SOUND = MediaStream("audio", Capabilities((PCMU, Codec(96, "opus", 48000, 2))), 40000)
CAMERA = MediaStream("video", Capabilities((VP8,), ptime=None), 40010)
SLIDES = MediaStream("video", Capabilities((VP8,), ptime=None), 40020, Direction.SENDONLY)
TEXT = MediaStream("text", Capabilities((T140,), ptime=None), 40030)
ALL = {"sound": SOUND, "camera": CAMERA, "slides": SLIDES, "text": TEXT}


def alice() -> Negotiation:
    return Negotiation(Origin("alice", 7, 1, "192.0.2.1"), "192.0.2.1")


def bob() -> Negotiation:
    return Negotiation(Origin("bob", 8, 1, "192.0.2.2"), "192.0.2.2")


def peer(*media: str) -> SessionDescription:
    return parse("\n".join(["v=0", "o=peer 1 1 IN IP4 192.0.2.9", "c=IN IP4 192.0.2.9", *media]))


def lines(session: Negotiation) -> list[str]:
    return [str(medium.line) for medium in session.local.media]


def pair(
    one: Negotiation, other: Negotiation, offered: dict[str, MediaStream], ours: dict[str, MediaStream]
) -> tuple[Negotiation, Negotiation]:
    """``one`` offers and ``other`` answers; both descriptions travel as text."""
    one = one.offer(offered)
    other = other.answer(parse(str(one.local)), ours)
    return one.answered(parse(str(other.local))), other


def only(*names: str) -> dict[str, MediaStream]:
    return {name: ALL[name] for name in names}


# What cannot be


def test_before_the_first_description_there_is_none() -> None:
    with pytest.raises(LocalProtocolError):
        _ = alice().local


def test_an_answer_to_no_offer() -> None:
    answer = bob().answer(alice().offer(ALL).local, ALL)
    for session in (alice(), answer):
        with pytest.raises(LocalProtocolError, match="no offer of ours"):
            session.answered(answer.local)


def test_a_peer_that_refuses_all() -> None:
    refusal = peer("m=audio 0 RTP/AVP 0", "m=video 0 RTP/AVP 96")
    with pytest.raises(NegotiationError, match="the peer refused our audio and video"):
        alice().offer(only("sound", "camera")).answered(refusal)


def test_an_answer_with_its_m_lines_in_another_order() -> None:
    swapped = peer("m=video 5000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", "m=audio 5002 RTP/AVP 0")
    with pytest.raises(RemoteProtocolError):
        alice().offer(only("sound", "camera")).answered(swapped)


def test_an_accepted_stream_without_a_codec_of_ours() -> None:
    answer = peer("m=audio 5000 RTP/AVP 0", "m=video 5002 RTP/AVP 34")
    with pytest.raises(NegotiationError, match="the video stream has no codec in common"):
        alice().offer(only("sound", "camera")).answered(answer)


def test_an_offer_of_kinds_that_we_do_not_have() -> None:
    with pytest.raises(NegotiationError, match="no stream that we can take"):
        bob().answer(alice().offer(only("camera", "text")).local, only("sound"))


# The first exchange


def test_all_streams_in_one_offer() -> None:
    first = alice().offer(ALL)
    assert lines(first) == [
        "audio 40000 RTP/AVP 0 96",
        "video 40010 RTP/AVP 96",
        "video 40020 RTP/AVP 96",
        "text 40030 RTP/AVP 98",
    ]
    assert (first.slots, first.offering, dict(first.agreements)) == (tuple(ALL), True, {})


def test_both_sides_agree_on_each_stream_by_its_name() -> None:
    one, other = pair(alice(), bob(), ALL, ALL)
    seen = [
        {name: (a.index, a.kind, a.port, a.codec, a.direction) for name, a in session.agreements.items()}
        for session in (one, other)
    ]
    both = Direction.SENDRECV
    expected = {
        "sound": (0, "audio", 40000, PCMU, both),
        "camera": (1, "video", 40010, VP8, both),
        "slides": (2, "video", 40020, VP8, Direction.INACTIVE),  # both would only send: neither does
        "text": (3, "text", 40030, T140, both),
    }
    assert seen == [expected, expected]


def test_what_does_not_fit_is_rejected_in_place_and_the_rest_goes_on() -> None:
    one, other = pair(alice(), bob(), only("camera", "sound", "text"), only("sound"))
    assert lines(other) == ["video 0 RTP/AVP 96", "audio 40000 RTP/AVP 0", "text 0 RTP/AVP 98"]
    assert [list(session.agreements) for session in (one, other)] == [["sound"], ["sound"]]
    assert (one.slots, other.slots) == (("camera", "sound", "text"), (None, "sound", None))


def test_each_m_line_gets_the_first_unused_stream_that_fits() -> None:
    offer = peer(
        *("m=video 5000 RTP/AVP 34", "m=video 5002 RTP/AVP 99", "a=rtpmap:99 VP8/90000"),
        *("m=video 5004 RTP/AVP 97", "a=rtpmap:97 VP8/90000", "m=video 5006 RTP/AVP 99"),
        "a=rtpmap:99 VP8/90000",
    )
    answer = bob().answer(offer, ALL)
    assert lines(answer) == [
        "video 0 RTP/AVP 34",
        "video 40010 RTP/AVP 99",
        "video 40020 RTP/AVP 97",
        "video 0 RTP/AVP 99",
    ]
    assert answer.slots == (None, "camera", "slides", None)


def test_kinds_do_not_share_their_payload_type_numbers() -> None:
    """96 is opus here and VP8 there (RFC 3264 §5.1: the numbers are those of one m-line)."""
    one, _ = pair(alice(), bob(), only("sound", "camera"), only("sound", "camera"))
    assert lines(one.offer(only("sound", "camera"))) == ["audio 40000 RTP/AVP 0 96", "video 40010 RTP/AVP 96"]


def test_two_streams_of_one_kind_do_not_give_a_number_two_meanings() -> None:
    other = MediaStream("video", Capabilities((Codec(96, "H264", 90000),), ptime=None), 40040)
    assert lines(alice().offer({"camera": CAMERA, "other": other})) == [
        "video 40010 RTP/AVP 96",
        "video 40040 RTP/AVP 97",
    ]


# Changes


def test_a_step_leaves_the_session_before_it_as_it_was() -> None:
    one, other = pair(alice(), bob(), only("sound"), only("sound"))
    before = (one.local, one.agreements)
    one.offer(ALL)
    with pytest.raises(RemoteProtocolError):
        one.offer(ALL).answered(other.local)
    assert (one.local, one.agreements) == before


def test_an_offer_that_is_not_answered_leaves_what_was_agreed() -> None:
    one, _ = pair(alice(), bob(), only("sound"), only("sound"))
    again = one.offer(ALL)
    assert again.agreements == one.agreements
    assert again.offer(only("sound")).local.origin.session_version == 3


def test_a_stream_is_added_behind_the_others() -> None:
    one, other = pair(alice(), bob(), only("camera"), ALL)
    one, other = pair(one, other, only("sound", "camera"), ALL)
    assert lines(one) == ["video 40010 RTP/AVP 96", "audio 40000 RTP/AVP 0 96"]
    assert list(one.agreements) == ["camera", "sound"]
    assert one.local.origin.session_version == other.local.origin.session_version == 2


def test_a_stream_is_taken_out_and_another_of_its_kind_gets_its_place() -> None:
    one, other = pair(alice(), bob(), only("sound", "camera", "text"), ALL)
    one, other = pair(one, other, only("sound", "text"), ALL)
    assert lines(one) == ["audio 40000 RTP/AVP 0 96", "video 0 RTP/AVP 96", "text 40030 RTP/AVP 98"]
    assert [list(session.agreements) for session in (one, other)] == [["sound", "text"]] * 2
    one, other = pair(one, other, only("sound", "text", "slides"), ALL)
    assert one.slots == ("sound", "slides", "text")
    assert other.slots == ("sound", "camera", "text")


def test_a_stream_that_replaces_another_at_once_does_not_get_its_place() -> None:
    """RFC 3264 §8.1: a place is free once its stream was disabled with port 0."""
    one, other = pair(alice(), bob(), only("sound", "camera"), ALL)
    one, other = pair(one, other, only("sound", "slides"), ALL)
    assert lines(one) == ["audio 40000 RTP/AVP 0 96", "video 0 RTP/AVP 96", "video 40020 RTP/AVP 96"]
    assert one.slots == ("sound", None, "slides")


def test_the_first_of_two_of_a_kind_is_taken_out_and_the_second_stays_what_it_is() -> None:
    one, other = pair(alice(), bob(), only("camera", "slides"), ALL)
    one, other = pair(one, other, only("slides"), ALL)
    assert lines(other) == ["video 0 RTP/AVP 96", "video 40020 RTP/AVP 96"]
    assert (one.slots, other.slots) == ((None, "slides"), (None, "slides"))


def test_either_side_may_take_a_stream_out_and_put_it_back() -> None:
    one, other = pair(alice(), bob(), only("sound", "camera"), ALL)
    other, one = pair(other, one, only("sound"), ALL)
    assert [lines(session)[1] for session in (one, other)] == ["video 0 RTP/AVP 96"] * 2
    assert [list(session.agreements) for session in (one, other)] == [["sound"]] * 2
    other, one = pair(other, one, only("sound", "camera"), ALL)
    assert [lines(session)[1] for session in (one, other)] == ["video 40010 RTP/AVP 96"] * 2
    assert [list(session.agreements) for session in (one, other)] == [["sound", "camera"]] * 2


def test_a_stream_that_the_peer_refused_is_offered_again_in_its_place() -> None:
    one, other = pair(alice(), bob(), only("sound", "camera"), only("sound"))
    one, other = pair(one, other, only("sound", "camera"), ALL)
    assert list(one.agreements) == ["sound", "camera"]
    assert other.slots == ("sound", "camera")


def test_all_may_be_taken_out() -> None:
    """RFC 3264 §8.2: the session then has no media, and is none the worse for it."""
    one, other = pair(alice(), bob(), only("sound", "camera"), ALL)
    one, other = pair(one, other, {}, ALL)
    taken_out = ["audio 0 RTP/AVP 0 96", "video 0 RTP/AVP 96"]
    assert (lines(one), lines(other)) == (taken_out, taken_out)
    assert (dict(one.agreements), dict(other.agreements)) == ({}, {})


def test_a_fork_may_answer_otherwise() -> None:
    offered = alice().offer(only("sound", "camera"))
    first = bob().answer(offered.local, only("sound"))
    second = bob().answer(offered.local, ALL)
    early = offered.answered(first.local)
    assert [list(s.agreements) for s in (early, early.answered(second.local))] == [
        ["sound"],
        ["sound", "camera"],
    ]
