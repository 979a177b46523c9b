"""Mutations of real SDP. The invariant: what goes wrong is a ParseError, or in negotiation one of the three
errors that say whose fault it is; never anything else. What parses is written back without loss."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipstack.errors import NegotiationError, ParseError, RemoteProtocolError
from sipstack.sdp import (
    STATIC_CODECS,
    Capabilities,
    Codec,
    MediaStream,
    Negotiation,
    Origin,
    PlainRtp,
    agreed,
    parse,
)
from tests.sdp import endpoints

CAPABILITIES = Capabilities(
    (
        STATIC_CODECS[0],
        STATIC_CODECS[8],
        Codec(96, "opus", 48000, 2),
        Codec(101, "telephone-event", 8000, 1, "0-16"),
        Codec(102, "telephone-event", 48000, 1, "0-16"),
    ),
    rtcp_mux=True,
)
PICTURES = Capabilities((Codec(96, "VP8", 90000), Codec(99, "H264", 90000), STATIC_CODECS[31]), ptime=None)
PROFILES = [PlainRtp(name) for name in ("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVPF")]
STREAMS = {
    "speech": MediaStream("audio", CAPABILITIES, 40000, profiles=PROFILES),
    "more speech": MediaStream("audio", CAPABILITIES, 40002, profiles=PROFILES),
    "pictures": MediaStream("video", PICTURES, 40004, profiles=PROFILES),
}
ORIGIN = Origin("-", 1, 1, "192.0.2.1")

seeds = st.sampled_from([text.replace("\n", "\r\n").encode() for text in endpoints.ALL.values()])
scraps = st.sampled_from(
    [
        b"",
        b"\0",
        b"\r",
        b"\n",
        b"\r\n",
        b"=",
        b":",
        b"/",
        b" ",
        b"0",
        b"-1",
        b"65536",
        b"9" * 30,
        b"\xff",
        b"\xc2\xb2",
    ]
    + [
        b"m=",
        b"a=",
        b"c=IN IP4 0.0.0.0\r\n",
        b"m=audio 9 RTP/AVP 0\r\n",
        b"a=rtpmap:",
        b"a=fmtp:0 ",
        b"a=inactive\r\n",
    ]
)
edits = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), scraps), min_size=1, max_size=6)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    text = draw(seeds)
    for place, length, scrap in draw(edits):
        at = int(place * len(text))
        text = text[:at] + scrap + text[at + length :]
    return text


@settings(max_examples=400)
@given(mutants())
def test_a_mutant_parses_without_loss_or_is_a_parse_error(mutant: bytes) -> None:
    try:
        description = parse(mutant)
    except ParseError:
        return
    assert parse(bytes(description)) == description


@settings(max_examples=400)
@given(mutants(), mutants())
def test_a_mutant_is_answered_or_refused(mutant: bytes, later: bytes) -> None:
    try:
        offer = parse(mutant)
        session = Negotiation(ORIGIN, "192.0.2.1").answer(offer, STREAMS)
        assert agreed(session.local, offer) == tuple(session.agreements.values())
        again = session.offer(STREAMS)
        assert len(again.local.media) >= len(session.local.media)
        again.answered(parse(later))
    except (ParseError, NegotiationError, RemoteProtocolError):
        pass
