"""One stream of ours as an m-line."""

from __future__ import annotations

import pytest

from sipstack.errors import LocalProtocolError
from sipstack.sdp import STATIC_CODECS, Capabilities, Direction, MediaStream, parse, reachable

PCMU = STATIC_CODECS[0]
OURS = Capabilities((PCMU,))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_stream_needs_a_port(port: int) -> None:
    with pytest.raises(LocalProtocolError, match="no port"):
        MediaStream("audio", OURS, port)


def test_a_stream_needs_a_profile() -> None:
    with pytest.raises(LocalProtocolError, match="a profile"):
        MediaStream("audio", OURS, 40000, profiles=())


@pytest.mark.parametrize(
    ("connection", "ours", "reached"),
    [
        (None, "192.0.2.1", False),
        ("IN IP4 233.252.0.1/127", "192.0.2.1", False),
        ("IN IP6 FF0E::101", "2001:db8::1", False),
        ("IN IP6 2001:db8::2", "192.0.2.1", False),
        ("IN IP4 192.0.2.2", "2001:db8::1", False),
        ("AF IP4 192.0.2.2", "192.0.2.1", False),
        ("nowhere", "192.0.2.1", False),
        ("IN IP4 192.0.2.2", "192.0.2.1", True),
        ("IN IP4 0.0.0.0", "192.0.2.1", True),
        ("IN IP6 2001:db8::2", "2001:db8::1", True),
    ],
)
def test_what_can_be_reached(connection: str | None, ours: str, reached: bool) -> None:
    lines = ["v=0", "o=- 1 1 IN IP4 192.0.2.2", "m=audio 40002 RTP/AVP 0"]
    offer = parse("\n".join([*lines, f"c={connection}"] if connection else lines))
    assert reachable(offer, offer.media[0], ours) is reached


def test_all_that_a_stream_can_say() -> None:
    """A stream at an address of its own has a c= line of its own."""
    stream = MediaStream("audio", OURS, 40000, Direction.SENDONLY, 50000, "2001:db8::1")
    assert stream.offered((PCMU,), None).lines == (
        "m=audio 40000 RTP/AVP 0",
        "c=IN IP6 2001:db8::1",
        "a=rtpmap:0 PCMU/8000",
        "a=ptime:20",
        "a=rtcp:50000",
        "a=sendonly",
    )


def test_the_address_of_the_stream_decides_what_it_can_reach() -> None:
    offer = parse("v=0\no=- 1 1 IN IP6 ::2\nc=IN IP6 2001:db8::2\nm=audio 40002 RTP/AVP 0")
    here, there = MediaStream("audio", OURS, 40000), MediaStream("audio", OURS, 40000, address="2001:db8::1")
    assert [stream.answered(offer, offer.media[0], "192.0.2.1") is None for stream in (here, there)] == [
        True,
        False,
    ]
