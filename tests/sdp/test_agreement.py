"""What an offer and its answer add up to (RFC 3264 §6.1, §7)."""

from __future__ import annotations

import pytest

from sipstack.errors import NegotiationError, RemoteProtocolError
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
from tests.sdp import endpoints

S, O, R, I = Direction.SENDRECV, Direction.SENDONLY, Direction.RECVONLY, Direction.INACTIVE  # noqa: E741
PCMU, PCMA = STATIC_CODECS[0], STATIC_CODECS[8]
ILBC = Codec(97, "iLBC", 8000, 1, "mode=20")
EVENTS = Codec(101, "telephone-event", 8000, 1, "0-16")
OURS = Capabilities((ILBC, PCMU, PCMA, EVENTS))
ORIGIN = Origin("-", 7, 1, "192.0.2.1")


def offer(direction: Direction = S, *, mux: bool = False, ptime: int | None = 20) -> SessionDescription:
    stream = MediaStream("audio", Capabilities(OURS.codecs, ptime=ptime, rtcp_mux=mux), 40000, direction)
    return Negotiation(ORIGIN, "192.0.2.1").offer({"audio": stream}).local


def peer(*media: str, connection: str = "c=IN IP4 192.0.2.2") -> SessionDescription:
    head = ["v=0", "o=peer 1 1 IN IP4 192.0.2.2", "s=-", connection, "t=0 0"]
    return parse("\n".join([*head, *media]))


def only(local: SessionDescription, remote: SessionDescription) -> Agreement:
    (agreement,) = agreed(local, remote)
    return agreement


# An answer that breaks a rule


@pytest.mark.parametrize(
    "media",
    [
        [],
        ["m=video 51372 RTP/AVP 31"],
        ["m=audio 40002 RTP/AVP 0", "m=audio 40004 RTP/AVP 0"],
        ["m=video 0 RTP/AVP 31", "m=audio 40002 RTP/AVP 0"],
    ],
)
def test_an_answer_has_the_offers_m_lines_in_the_offers_order(media: list[str]) -> None:
    with pytest.raises(RemoteProtocolError):
        agreed(offer(), peer(*media))


def test_an_accepted_stream_has_an_address() -> None:
    with pytest.raises(RemoteProtocolError):
        agreed(offer(), peer("m=audio 40002 RTP/AVP 0", connection="a=x"))


@pytest.mark.parametrize("formats", ["18", "101\na=rtpmap:101 telephone-event/8000", "99", ""])
def test_an_answer_with_codecs_that_were_not_offered(formats: str) -> None:
    with pytest.raises(NegotiationError):
        agreed(offer(), peer(f"m=audio 40002 RTP/AVP {formats}"))


# Nothing agreed, and no rule broken


def test_a_refused_stream() -> None:
    assert agreed(offer(), peer("m=audio 0 RTP/AVP 0", connection="a=x")) == ()


def test_a_stream_that_we_refused() -> None:
    fax = parse(endpoints.FAX)
    refused = peer("m=image 0 udptl t38")
    assert agreed(refused, fax) == ()
    assert agreed(fax, fax) == ()


# An agreement


def test_all_of_an_agreement() -> None:
    remote = peer(
        "m=audio 40002 RTP/AVP 99 110",
        "a=rtpmap:99 iLBC/8000",
        "a=fmtp:99 mode=30",
        "a=rtpmap:110 telephone-event/8000",
        "a=fmtp:110 0-15",
        "a=ptime:30",
    )
    assert agreed(offer(), remote) == (
        Agreement(
            index=0,
            kind="audio",
            protocol="RTP/AVP",
            address="192.0.2.2",
            port=40002,
            rtcp_address="192.0.2.2",
            rtcp_port=40003,
            rtcp_mux=False,
            # what goes out has the remote side's numbers and parameters
            codec=Codec(99, "iLBC", 8000, 1, "mode=30"),
            telephone_event=Codec(110, "telephone-event", 8000, 1, "0-15"),
            # what comes in has ours
            receive={97: ILBC, 0: PCMU, 8: PCMA, 101: EVENTS},
            direction=S,
            ptime=30.0,
            remote=remote,
        ),
    )


def test_the_answerers_order_chooses_what_the_offerer_sends() -> None:
    assert only(offer(), peer("m=audio 40002 RTP/AVP 13 8 0")).codec == PCMA


def test_the_answerer_sends_what_it_chose() -> None:
    theirs = parse(endpoints.ASTERISK)
    ours = Negotiation(ORIGIN, "192.0.2.1").answer(theirs, {"audio": MediaStream("audio", OURS, 40000)}).local
    agreement = only(ours, theirs)
    assert (agreement.codec, agreement.telephone_event) == (PCMU, EVENTS)
    assert agreement.receive == {0: PCMU, 101: EVENTS}
    assert (agreement.address, agreement.port) == ("203.0.113.9", 12412)


def test_no_event_of_another_clock() -> None:
    remote = peer("m=audio 40002 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/48000")
    assert only(offer(), remote).telephone_event is None


def test_the_index_is_that_of_the_m_line() -> None:
    local = peer("m=video 0 RTP/AVP 31", "m=audio 40000 RTP/AVP 0")
    assert only(local, peer("m=video 0 RTP/AVP 31", "m=audio 40002 RTP/AVP 0")).index == 1


@pytest.mark.parametrize("ours", [S, O, R, I])
@pytest.mark.parametrize("theirs", [S, O, R, I])
def test_the_direction_is_what_both_sides_leave(ours: Direction, theirs: Direction) -> None:
    """Also where an answer breaks RFC 3264 §6.1, as sendrecv to sendonly: no one gets what he did not ask."""
    remote = peer("m=audio 40002 RTP/AVP 0", f"a={theirs.value}")
    direction = only(offer(ours), remote).direction
    assert direction.sends == (ours.sends and theirs.receives)
    assert direction.receives == (ours.receives and theirs.sends)


def test_an_answer_of_0_0_0_0_gets_neither_rtp_nor_rtcp() -> None:
    agreement = only(offer(), peer("m=audio 40002 RTP/AVP 0", connection="c=IN IP4 0.0.0.0"))
    assert (agreement.direction, agreement.rtcp_port) == (R, 0)


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (["m=audio 40002 RTP/AVP 0"], ("192.0.2.2", 40003, False)),
        (["m=audio 40002 RTP/AVP 0", "a=rtcp:50000"], ("192.0.2.2", 50000, False)),
        (["m=audio 40002 RTP/AVP 0", "a=rtcp:50000 IN IP4 192.0.2.3"], ("192.0.2.3", 50000, False)),
        (["m=audio 40002 RTP/AVP 0", "a=rtcp:none"], ("192.0.2.2", 40003, False)),
        (["m=audio 40002 RTP/AVP 0", "c=IN IP4 192.0.2.4"], ("192.0.2.4", 40003, False)),
        (["m=audio 40002 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:50000"], ("192.0.2.2", 40002, True)),
        (["m=audio 65535 RTP/AVP 0"], ("192.0.2.2", 0, False)),
    ],
)
def test_where_rtcp_goes(lines: list[str], where: tuple[str, int, bool]) -> None:
    agreement = only(offer(mux=True), peer(*lines))
    assert (agreement.rtcp_address, agreement.rtcp_port, agreement.rtcp_mux) == where


def test_rtcp_mux_is_not_taken_from_one_side() -> None:
    assert not only(offer(), peer("m=audio 40002 RTP/AVP 0", "a=rtcp-mux")).rtcp_mux


@pytest.mark.parametrize(
    ("ours", "theirs", "ptime"),
    [
        (20, [], 20.0),
        (None, [], 20.0),
        (30, [], 30.0),
        (20, ["a=ptime:40"], 40.0),
        (20, ["a=ptime:zero"], 20.0),
        (20, ["a=maxptime:10"], 10.0),
        (20, ["a=ptime:60", "a=maxptime:40"], 40.0),
    ],
)
def test_how_long_a_packet_is_to_be(ours: int | None, theirs: list[str], ptime: float) -> None:
    assert only(offer(ptime=ours), peer("m=audio 40002 RTP/AVP 0", *theirs)).ptime == ptime


@pytest.mark.parametrize("connection", ["c=AF IP4 192.0.2.2", "c=IN NSAP 47.0091.8100"])
def test_an_answer_from_another_network_than_the_internet(connection: str) -> None:
    with pytest.raises(NegotiationError, match="no way to send media"):
        only(offer(), peer("m=audio 40002 RTP/AVP 0", connection=connection))
