"""The first answer of a call to an offer that other calls had, but for its ports and its o= line.

A peer's calls differ in no more, as a rule. What is answered to the first of them is kept, and only our ports
and our o= are put into it for the next. Nothing is kept of streams that are protected or search their way:
their lines are secrets, or hold for one call alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from sipstack.sdp.agreement import Agreement
from sipstack.sdp.capabilities import Capabilities
from sipstack.sdp.description import SessionDescription
from sipstack.sdp.fields import MAX_PORT, Direction, Origin
from sipstack.sdp.section import may_be_kept
from sipstack.sdp.stream import PLAIN_RTP, MediaStream


@attrs.frozen
class Shape:
    """All that a first answer depends on, but for the ports."""

    session: tuple[str, ...]
    """The offer's lines above its m-line, less the o=."""
    line: tuple[str, ...]
    """The words of its m-line, less the port."""
    below: tuple[str, ...]
    address: str
    """Where we are; then our stream."""
    name: str
    kind: str
    capabilities: Capabilities
    direction: Direction
    stream_address: str | None
    answer: Callable[[], object] = attrs.field(eq=False, repr=False)
    """Makes it, for the first offer of this shape."""


def shape_of(
    offer: SessionDescription, address: str, streams: Mapping[str, MediaStream], answer: Callable[[], object]
) -> Shape | None:
    """None for what is not kept: see above."""
    if len(offer.media) != 1 or len(streams) != 1:
        return None
    medium, ((name, stream),) = offer.media[0], streams.items()
    line = medium.line
    if (
        stream.profiles is not PLAIN_RTP
        or not 0 < line.port < MAX_PORT
        or medium.attribute("rtcp") is not None
    ):
        return None
    above = tuple([each for each in offer.lines if each[0] != "o"])
    if not may_be_kept(above) or not may_be_kept(medium.lines):
        return None
    if stream.rtcp_port not in (None, stream.port + 1):
        return None
    return Shape(
        above,
        (line.kind, line.protocol, *line.formats, str(line.count)),
        medium.lines[1:],
        address,
        name,
        stream.kind,
        stream.capabilities,
        stream.direction,
        stream.address,
        answer,
    )


def like(
    known: SessionDescription, agreement: Agreement, origin: Origin, port: int, offer: SessionDescription
) -> tuple[SessionDescription, Agreement]:
    """The answer and the agreement for an offer of the same shape, with our ``port`` and our o=."""
    theirs = offer.media[0].port
    again = Agreement(
        index=0,
        kind=agreement.kind,
        protocol=agreement.protocol,
        address=agreement.address,
        port=theirs,
        rtcp_address=agreement.rtcp_address,
        rtcp_port=agreement.rtcp_port and theirs + agreement.rtcp_port - agreement.port,
        rtcp_mux=agreement.rtcp_mux,
        codec=agreement.codec,
        telephone_event=agreement.telephone_event,
        receive=agreement.receive,
        direction=agreement.direction,
        ptime=agreement.ptime,
        remote=offer,
    )
    return known.anew(origin, [known.media[0].at_port(port)]), again
