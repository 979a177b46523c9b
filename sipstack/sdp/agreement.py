"""The agreement that an offer and its answer add up to, seen from one side (RFC 3264 §6.1, §7)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from sipstack.errors import NegotiationError, RemoteProtocolError
from sipstack.sdp.codec import Codec
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import MAX_PORT, Direction

DEFAULT_PTIME = 20.0
"""Milliseconds of audio in a packet where no side asks for another length (RFC 3551 §4.2)."""


@attrs.frozen
class Agreement:
    """One RTP stream as both sides accepted it.

    ``index`` is the m-line, the same in both descriptions; ``protocol`` is the remote side's. ``kind`` is
    ``audio``, ``video``, ``text``, …
    ``address`` and ``port`` are where to send RTP; the address may be a host name. ``rtcp_port`` is 0
    when the remote side has no place for RTCP. ``rtcp_mux`` says that both use one port for both.
    ``codec`` is what to send, with the remote side's number and fmtp; ``telephone_event`` likewise, or
    None. ``receive`` maps our payload type numbers to codecs; any of them may come at any time.
    ``direction`` is ours: what is left of what both sides wish. ``ptime`` is in milliseconds, for sending
    audio. ``remote`` is the remote side's whole description.
    """

    index: int
    kind: str
    protocol: str
    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    rtcp_mux: bool
    codec: Codec
    telephone_event: Codec | None
    receive: Mapping[int, Codec]
    direction: Direction
    ptime: float
    remote: SessionDescription = attrs.field(eq=False, repr=False)

    def attribute_values(self, name: str) -> tuple[str, ...]:
        """The remote side's ``a=name`` lines for this stream: its own, else those of the session.

        How keys, fingerprints and candidates are read, by the transport that they are for.
        """
        return self.remote.media[self.index].attribute_values(name) or self.remote.attribute_values(name)


def agreed(local: SessionDescription, remote: SessionDescription) -> tuple[Agreement, ...]:
    """The RTP streams that both sides accepted; () when there are none. Which side offered does not matter.

    Raises RemoteProtocolError when the remote description does not fit ours m-line by m-line (RFC 3264
    §6) or has no address, NegotiationError when an accepted stream has an address in another network than the
    Internet, or no codec in common.
    """
    if [medium.kind for medium in local.media] != [medium.kind for medium in remote.media]:
        raise RemoteProtocolError("offer and answer differ in number, order or kind of their m-lines")
    pairs = enumerate(zip(local.media, remote.media, strict=True))
    return tuple(
        _agreement(index, local, ours, remote, theirs)
        for index, (ours, theirs) in pairs
        if not ours.rejected and not theirs.rejected and "RTP/" in ours.protocol
    )


def _agreement(
    index: int,
    local: SessionDescription,
    ours: MediaDescription,
    remote: SessionDescription,
    theirs: MediaDescription,
) -> Agreement:
    connection = remote.connection_of(theirs)
    if connection is None:
        raise RemoteProtocolError("an m-line that was accepted has no c= line that can be read")
    if connection.family is None:
        raise NegotiationError(f"no way to send media to c={connection}")
    codec, telephone_event = _to_send(ours, theirs)
    direction = local.direction_of(ours).answering(remote.direction_of(theirs))
    mux = ours.rtcp_mux and theirs.rtcp_mux
    rtcp_address, rtcp_port = _rtcp(theirs, connection.address, mux)
    return Agreement(
        index=index,
        kind=ours.kind,
        protocol=theirs.protocol,
        address=connection.address,
        port=theirs.port,
        rtcp_address=rtcp_address,
        # RFC 3264 §8.4: to 0.0.0.0 goes neither RTP nor RTCP.
        rtcp_port=0 if connection.nowhere else rtcp_port,
        rtcp_mux=mux,
        codec=codec,
        telephone_event=telephone_event,
        receive={codec.payload_type: codec for codec in reversed(ours.codecs)},
        direction=direction,
        ptime=_ptime(ours, theirs),
        remote=remote,
    )


def _to_send(ours: MediaDescription, theirs: MediaDescription) -> tuple[Codec, Codec | None]:
    known = {codec.key for codec in ours.codecs}
    common = [codec for codec in theirs.codecs if codec.key in known]
    codec = next((codec for codec in common if not codec.auxiliary), None)
    if codec is None:
        raise NegotiationError(f"the {ours.kind} stream has no codec in common")
    events = (event for event in common if event.telephone_event and event.clock_rate == codec.clock_rate)
    return codec, next(events, None)


def _rtcp(theirs: MediaDescription, address: str, mux: bool) -> tuple[str, int]:
    if mux:
        return address, theirs.port
    if theirs.rtcp is not None:
        port, own_address = theirs.rtcp
        return own_address or address, port
    return address, theirs.port + 1 if theirs.port < MAX_PORT else 0


def _ptime(ours: MediaDescription, theirs: MediaDescription) -> float:
    wished = theirs.ptime or ours.ptime or DEFAULT_PTIME
    return min(wished, theirs.maxptime or wished)
