"""Making offers and answers for one audio stream (RFC 3264 §5, §6, §8).

A session keeps its own last description and hands it in as ``previous``: session id, number and order of
the m-lines then stay, and the version in o= rises by one exactly when something changed. It also keeps
``capabilities = capabilities.keeping(description)`` for each description sent or received, so that payload
type numbers stay as they are. ``agreed`` then says what to send and what to expect.

Lines of a transport of its own (crypto, candidates, fingerprint) are added to the result with ``with_medium``
and ``with_attribute``; who does so ends with ``next_version(previous, description)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import attrs

from sipstack.errors import LocalProtocolError, NegotiationError
from sipstack.sdp.agreement import Agreement, agreed
from sipstack.sdp.capabilities import Capabilities
from sipstack.sdp.codec import Codec
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import MAX_PORT, Connection, Direction, MediaLine, Origin

__all__ = ["MAX_SESSION_NUMBER", "Agreement", "agreed", "make_answer", "make_offer", "next_version"]

MAX_SESSION_NUMBER = 2**63 - 1
"""Session id and version must fit a signed 64 bit integer (RFC 3264 §5)."""


def make_offer(
    capabilities: Capabilities,
    *,
    origin: Origin,
    address: str,
    port: int,
    direction: Direction = Direction.SENDRECV,
    rtcp_port: int | None = None,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """An offer of one audio stream at ``address`` and ``port``, RTCP one port above unless said otherwise.

    With ``previous``, our description now in force, it is a re-offer: its o= goes on (``origin`` is for
    the first description only), its m-lines stay in place, and the codecs in use come first. Raises
    NegotiationError when the session has used up the payload type numbers.
    """
    if previous is not None:
        capabilities = capabilities.keeping(previous)
    media = list(previous.media) if previous else []
    index = _audio_index(media)
    current = media[index] if index < len(media) else None
    protocol = current.protocol if current and not current.rejected else capabilities.protocols[0]
    codecs = _in_use_first(capabilities.numbered(), current)
    if all(codec.auxiliary for codec in codecs):
        raise NegotiationError("the session has no payload type number left for our codecs")
    audio = _audio(protocol, port, codecs, capabilities, direction, rtcp_port, capabilities.rtcp_mux)
    media[index : index + 1] = [audio]
    times = previous.values("t") if previous else ("0 0",)
    return _describe(origin, address, times, media, previous)


def make_answer(
    offer: SessionDescription,
    capabilities: Capabilities,
    *,
    origin: Origin,
    address: str,
    port: int,
    direction: Direction = Direction.SENDRECV,
    rtcp_port: int | None = None,
    previous: SessionDescription | None = None,
) -> SessionDescription:
    """The answer to ``offer``: the first audio stream we can take, every other m-line rejected in place.

    It names one codec, and the telephone-event (and CN) of the same clock rate, under the offer's payload
    type numbers. ``direction`` is what we wish; the offer may narrow it. An offer without m-lines, or with
    all of them at port 0, is answered likewise. Raises NegotiationError when nothing fits.
    """
    chosen = _choose(offer, capabilities, Connection(address).address_type)
    if chosen is None and not all(medium.rejected for medium in offer.media):
        raise NegotiationError("the offer has no audio stream that we can take")
    index, codecs = chosen or (-1, ())
    media = [_rejecting(medium.line) if at != index else medium for at, medium in enumerate(offer.media)]
    if codecs:
        theirs = offer.media[index]
        mux = capabilities.rtcp_mux and theirs.rtcp_mux
        answered = direction.answering(offer.direction_of(theirs))
        media[index] = _audio(theirs.protocol, port, codecs, capabilities, answered, rtcp_port, mux)
    # RFC 3264 §6: the t= line of the answer equals that of the offer.
    return _describe(origin, address, offer.values("t") or ("0 0",), media, previous)


def next_version(previous: SessionDescription, new: SessionDescription) -> SessionDescription:
    """``new`` as what follows ``previous`` in one session (RFC 3264 §8): the o= line of ``previous``, the
    version one higher; or ``previous`` itself when nothing else changed."""
    origin = previous.origin
    if new.with_origin(origin) == previous:
        return previous
    return new.with_origin(attrs.evolve(origin, session_version=origin.session_version + 1))


def _choose(
    offer: SessionDescription, capabilities: Capabilities, address_type: str
) -> tuple[int, tuple[Codec, ...]] | None:
    for index, medium in enumerate(offer.media):
        if medium.kind != "audio" or medium.rejected or medium.protocol not in capabilities.protocols:
            continue
        connection = offer.connection_of(medium)
        # An address of the other family cannot be reached from ours, a group is not for a call.
        if connection is None or connection.address_type != address_type or connection.multicast:
            continue
        if codecs := _select(medium.codecs, capabilities):
            return index, codecs
    return None


def _select(offered: Sequence[Codec], capabilities: Capabilities) -> tuple[Codec, ...]:
    """The codec of the stream and what goes beside it, in the offer's numbers; () when there is none."""
    common = list(_common(offered, capabilities))
    speech = [codec for codec in common if not codec.auxiliary]
    if not speech:
        return ()
    codec = speech[0]
    if capabilities.prefer_own:
        order = [ours.key for ours in capabilities.codecs]
        codec = min(speech, key=lambda candidate: order.index(candidate.key))
    beside: dict[tuple[str | int, ...], Codec] = {}
    for other in common:
        if other.auxiliary and other.clock_rate == codec.clock_rate:
            beside.setdefault(other.key, other)
    return codec, *beside.values()


def _common(offered: Iterable[Codec], capabilities: Capabilities) -> Iterator[Codec]:
    ours = capabilities.by_key
    for theirs in offered:
        if codec := ours.get(theirs.key):
            yield codec.numbered(theirs.payload_type)


def _audio_index(media: Sequence[MediaDescription]) -> int:
    """Where our audio stream stands among the m-lines: where it was, else where audio was refused, else
    behind the others."""
    audio = [index for index, medium in enumerate(media) if medium.kind == "audio"]
    return next((index for index in audio if not media[index].rejected), (*audio, len(media))[0])


def _in_use_first(codecs: Iterable[Codec], current: MediaDescription | None) -> list[Codec]:
    """A re-offer that only changes the direction should not change the codec."""
    in_use = current.formats if current else ()
    return sorted(codecs, key=lambda codec: (codec.auxiliary, str(codec.payload_type) not in in_use))


def _rejecting(line: MediaLine) -> MediaDescription:
    # RFC 3264 §6: port 0, and formats there must be, though they mean nothing.
    return MediaDescription((f"m={MediaLine(line.kind, 0, line.protocol, line.formats or ('0',))}",))


def _audio(
    protocol: str,
    port: int,
    codecs: Sequence[Codec],
    capabilities: Capabilities,
    direction: Direction,
    rtcp_port: int | None,
    mux: bool,
) -> MediaDescription:
    if not 0 < port <= MAX_PORT:
        raise LocalProtocolError(f"{port} is no port to receive media at")
    line = MediaLine("audio", port, protocol, tuple([str(codec.payload_type) for codec in codecs]))
    lines = [f"m={line}"]
    for codec in codecs:
        lines += codec.lines()
    if capabilities.ptime is not None:
        lines.append(f"a=ptime:{capabilities.ptime}")
    if rtcp_port is not None and rtcp_port != port + 1:
        lines.append(f"a=rtcp:{rtcp_port}")
    if mux:
        lines.append("a=rtcp-mux")
    lines.append(f"a={direction.value}")
    return MediaDescription(tuple(lines))


def _describe(
    origin: Origin,
    address: str,
    times: Iterable[str],
    media: Iterable[MediaDescription],
    previous: SessionDescription | None,
) -> SessionDescription:
    if previous is not None:
        origin = previous.origin
    elif max(origin.session_id, origin.session_version) > MAX_SESSION_NUMBER:
        raise LocalProtocolError("session id and version are numbers of up to 63 bits")
    session = ("v=0", f"o={origin}", "s=-", f"c={Connection(address)}", *(f"t={time}" for time in times))
    described = SessionDescription(session, tuple(media))
    return described if previous is None else next_version(previous, described)
