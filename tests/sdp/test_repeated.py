"""Answers to offers that came before, but for ports and o=: the same as if each were worked out anew."""

from __future__ import annotations

import itertools

import pytest

from sipstack.errors import NegotiationError
from sipstack.sdp import (
    PLAIN_RTP,
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
from sipstack.sdp.negotiation import _first_answer

CAPABILITIES = Capabilities(
    (STATIC_CODECS[0], STATIC_CODECS[8], Codec(101, "telephone-event", 8000, fmtp="0-16")), rtcp_mux=True
)
numbers = itertools.count(1)


def offer(
    port: int, *below: str, session: tuple[str, ...] = (), formats: str = "0 8 96"
) -> SessionDescription:
    lines = [
        *("v=0", f"o=- {next(numbers)} 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0", *session),
        f"m=audio {port} RTP/AVP {formats}",
        "a=rtpmap:96 telephone-event/8000",
        *below,
    ]
    return parse("\n".join(lines))


def ours(
    port: int, direction: Direction = Direction.SENDRECV, rtcp_port: int | None = None
) -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", CAPABILITIES, port, direction, rtcp_port)}


def fresh() -> Negotiation:
    return Negotiation(Origin("-", next(numbers), 1, "192.0.2.7"), "192.0.2.7")


def kept() -> tuple[int, int]:
    known = _first_answer.cache_info()
    return known.misses, known.hits


OFFERS = {
    "plain": (),
    "on hold": ("a=sendonly",),
    "on hold by address": ("c=IN IP4 0.0.0.0",),
    "at another address": ("c=IN IP4 192.0.2.99",),
    "with packets of 30 ms": ("a=ptime:30", "a=maxptime:60"),
    "with one port for both": ("a=rtcp-mux",),
    "with a port for RTCP": ("a=rtcp:5555",),
    "with a name": ("a=mid:audio", "a=msid:x y"),
    "with a refused stream": ("m=video 4000 RTP/AVP 31",),
    "with a stream that is taken out": ("m=video 0 RTP/AVP 31",),
}


@pytest.mark.parametrize("below", OFFERS.values(), ids=OFFERS)
@pytest.mark.parametrize("direction", [Direction.SENDRECV, Direction.RECVONLY])
@pytest.mark.parametrize("rtcp_port", [None, "next", 41000])
def test_each_answer_is_the_one_that_is_worked_out(
    below: tuple[str, ...], direction: Direction, rtcp_port: int | str | None
) -> None:
    for theirs, port in ((4000, 30000), (4002, 30002), (65534, 30004), (65535, 30006)):
        negotiation, received = fresh(), offer(theirs, *below)
        streams = ours(port, direction, port + 1 if rtcp_port == "next" else rtcp_port)  # type: ignore[arg-type]
        answered, expected = negotiation.answer(received, streams), negotiation._answer(received, streams)
        assert answered == expected
        assert str(answered.local) == str(expected.local)
        assert answered.local.origin == negotiation.origin
        assert answered.agreements["audio"].remote is received
        assert answered.local.media[0].line == expected.local.media[0].line
        assert answered.local.media[0].codecs == expected.local.media[0].codecs
        assert parse(str(answered.local)) == answered.local


def test_what_differs_in_ports_and_origin_alone_is_worked_out_once() -> None:
    misses, hits = kept()
    for port in range(6000, 6020, 2):
        fresh().answer(offer(port, "a=x-once"), ours(port + 20000))
    assert kept() == (misses + 1, hits + 9)


def test_what_our_side_wishes_is_told_apart() -> None:
    received = offer(6000, "a=x-wish")
    sending = fresh().answer(received, ours(30000))
    receiving = fresh().answer(received, ours(30000, Direction.RECVONLY))
    assert sending.local.media[0].direction is Direction.SENDRECV
    assert receiving.local.media[0].direction is Direction.RECVONLY
    assert receiving.agreements["audio"].direction is Direction.RECVONLY


def test_a_further_offer_is_answered_by_what_came_before() -> None:
    before = kept()
    first = fresh().answer(offer(6000, "a=x-further"), ours(30000))
    second = first.answer(offer(6000, "a=x-further", "a=sendonly"), ours(30000))
    assert second.local.origin.session_version == first.local.origin.session_version + 1
    assert sum(kept()) == sum(before) + 1


@pytest.mark.parametrize(
    "line",
    [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0",
        "a=key-mgmt:mikey c2VjcmV0",
        "a=ice-pwd:c2VjcmV0c2VjcmV0c2VjcmV0",
        f"a=x:{'x' * 600}",
    ],
)
def test_keys_and_what_is_long_are_not_kept(line: str) -> None:
    before = kept()
    fresh().answer(offer(6000, line), ours(30000))
    fresh().answer(offer(6000, session=(line,)), ours(30000))
    assert kept() == before


def test_streams_that_are_not_plain_are_worked_out_each_time() -> None:
    before = kept()
    stream = MediaStream("audio", CAPABILITIES, 30000, profiles=tuple(reversed(PLAIN_RTP)))
    fresh().answer(offer(6000), {"audio": stream})
    assert kept() == before


def test_an_offer_without_a_codec_of_ours_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(NegotiationError):
            fresh().answer(offer(6000, formats="18"), ours(30000))
