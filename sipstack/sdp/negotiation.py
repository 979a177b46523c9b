"""Offers and answers of one session, for any number of streams (RFC 3264 §5 to §8).

    streams = {"audio": MediaStream("audio", capabilities, port=40000)}
    negotiation = Negotiation(origin, "192.0.2.1").answer(offer, streams)
    negotiation.local                 # the answer
    negotiation.agreements["audio"]   # where to send, which codec, which way

A ``Negotiation`` is a value. Each step gives the next one, so a step that fails, or whose description was not
sent after all, leaves everything as it was: the caller just keeps the one it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from types import MappingProxyType

import attrs

from sipstack.errors import LocalProtocolError, NegotiationError
from sipstack.sdp.agreement import Agreement, agreed
from sipstack.sdp.bundle import answered_group, offered_group
from sipstack.sdp.description import MediaDescription, SessionDescription
from sipstack.sdp.fields import Connection, Origin
from sipstack.sdp.payload_types import PayloadTypes
from sipstack.sdp.repeated import Shape, like, shape_of
from sipstack.sdp.stream import MediaStream, rejecting

MAX_SESSION_NUMBER = 2**63 - 1
"""Session id and version must fit a signed 64 bit integer (RFC 3264 §5)."""

Streams = Mapping[str, MediaStream]
"""Our streams by names of our own choice, which stay the same for the whole session."""

Kinds = Mapping[str, str]
"""The kinds of our streams by these names: ``audio``, ``video``."""


@attrs.frozen
class Negotiation:
    """The state of one side of a session: everything described and agreed up to now.

    ``origin`` is that of our first description; ``address`` is where we receive streams that name no other.
    ``sent`` is our last description, whatever became of it, and ``offering`` tells whether it is an offer.
    ``slots`` has a name for each of its m-lines: the stream of ours that is there, or None.
    ``agreements`` are in force, by the names of our streams; an offer that is not answered leaves them.
    """

    origin: Origin
    address: str
    sent: SessionDescription | None = None
    slots: tuple[str | None, ...] = ()
    offering: bool = False
    agreements: Mapping[str, Agreement] = MappingProxyType({})
    payload_types: PayloadTypes = PayloadTypes()

    def __attrs_post_init__(self) -> None:
        if max(self.origin.session_id, self.origin.session_version) > MAX_SESSION_NUMBER:
            raise LocalProtocolError("session id and version are numbers of up to 63 bits")

    @classmethod
    def restored(cls, local: SessionDescription, remote: SessionDescription, kinds: Kinds) -> Negotiation:
        """The session whose last descriptions these are, ours and the peer's, so that it goes on: under the
        same o= with the next version, the same m-lines and payload type numbers. ``kinds``: our streams by
        name, each with its kind; those of one kind have the m-lines in this order.

        Raises what ``agreed`` does.
        """
        free = dict(kinds)
        slots = []
        for medium in local.media:
            fitting = (name for name, kind in free.items() if kind == medium.kind and not medium.rejected)
            name = next(fitting, None)
            slots.append(name)
            if name is not None:
                del free[name]
        ours = set(kinds.values())
        payload_types = _keeping(_keeping(PayloadTypes(), local, ours), remote, ours)
        connection = local.connection
        address = local.origin.address if connection is None else connection.address
        agreements = _by_name(slots, agreed(local, remote))
        return cls(local.origin, address, local, tuple(slots), False, agreements, payload_types)

    @property
    def local(self) -> SessionDescription:
        """Our last description, whatever became of it. Raises LocalProtocolError before the first."""
        if self.sent is None:
            raise LocalProtocolError("the session has no description of ours")
        return self.sent

    def afresh(self) -> Negotiation:
        """The session after a first offer that came to nothing: its m-lines do not bind the next one."""
        origin = attrs.evolve(self.local.origin, session_version=self.local.origin.session_version + 1)
        return Negotiation(origin, self.address, payload_types=self.payload_types)

    def offer(self, streams: Streams) -> Negotiation:
        """The session with an offer of these streams as ``local``, the first or a further one.

        Our m-lines stay in place. A stream that is missing is taken out (port 0), one that is new goes to the
        place of one of its kind that was refused or taken out, else behind the others. Raises
        NegotiationError when the session has used up the payload type numbers.
        """
        before = self.sent.media if self.sent else ()
        slots = self._placed(streams, before)
        payload_types = self.payload_types
        media = []
        for at, name in enumerate(slots):
            if name is None:
                media.append(rejecting(before[at].line))
                continue
            stream = streams[name]
            codecs = payload_types.numbered(stream.kind, stream.capabilities.codecs)
            payload_types = payload_types.keeping(stream.kind, codecs)
            media.append(stream.offered(codecs, before[at] if at < len(before) else None))
        local = self._describe(self.sent.values("t") if self.sent else (), offered_group(media), media)
        return Negotiation(
            self.origin, self.address, local, tuple(slots), True, self.agreements, payload_types
        )

    def answer(self, offer: SessionDescription, streams: Streams) -> Negotiation:
        """The session with our answer to ``offer`` as ``local``, at once in force.

        Each m-line gets the stream that had it before, else the first of its kind that fits and is not yet
        used; every other one is rejected in place. An offer without m-lines, or with all of them at port 0,
        is answered likewise. Raises NegotiationError when nothing fits.
        """
        shape = None
        if self.sent is None:
            shape = shape_of(offer, self.address, streams, partial(self._answer, offer, streams))
        if shape is None:
            return self._answer(offer, streams)
        known = _first_answer(shape)
        agreement = known.agreements[shape.name]
        local, again = like(known.local, agreement, self.origin, streams[shape.name].port, offer)
        agreements = {shape.name: again}
        return Negotiation(
            self.origin, self.address, local, known.slots, False, agreements, known.payload_types
        )

    def _answer(self, offer: SessionDescription, streams: Streams) -> Negotiation:
        taken = self._matched(offer, streams)
        if not taken and not all(medium.rejected for medium in offer.media):
            raise NegotiationError("the offer has no stream that we can take")
        slots = [taken[at][0] if at in taken else None for at in range(len(offer.media))]
        media = [taken[at][1] if at in taken else rejecting(offer.media[at].line) for at in range(len(slots))]
        # RFC 3264 §6: the t= line of the answer equals that of the offer.
        local = self._describe(offer.values("t"), answered_group(offer, media), media)
        return Negotiation(
            self.origin,
            self.address,
            local,
            tuple(slots),
            False,
            _by_name(slots, agreed(local, offer)),
            _keeping(self.payload_types, offer, [stream.kind for stream in streams.values()]),
        )

    def answered(self, answer: SessionDescription) -> Negotiation:
        """The session with the peer's answer to our last offer in force.

        May be followed by another answer to the same offer: early media has one for each fork. Raises
        LocalProtocolError when there is no such offer; RemoteProtocolError and NegotiationError as ``agreed``
        does, the latter also when the peer refused all that we offered.
        """
        if not self.offering:
            raise LocalProtocolError("there is no offer of ours to be answered")
        local = self.local
        agreements = agreed(local, answer)
        kinds = [medium.kind for medium in local.media if not medium.rejected]
        if kinds and not agreements:
            raise NegotiationError(f"the peer refused our {' and '.join(kinds)}")
        return Negotiation(
            self.origin,
            self.address,
            local,
            self.slots,
            True,
            _by_name(self.slots, agreements),
            _keeping(self.payload_types, answer, kinds),
        )

    def _placed(self, streams: Streams, before: tuple[MediaDescription, ...]) -> list[str | None]:
        """The streams as an offer has them (RFC 3264 §8.1, §8.2)."""
        slots = [
            name if name is not None and name in streams and streams[name].kind == medium.kind else None
            for name, medium in zip(self.slots, before, strict=True)
        ]
        for name, stream in streams.items():
            if name not in slots:
                unused = (
                    at
                    for at, medium in enumerate(before)
                    if medium.rejected and medium.kind == stream.kind and slots[at] is None
                )
                at = next(unused, len(slots))
                slots[at : at + 1] = [name]
        return slots

    def _matched(
        self, offer: SessionDescription, streams: Streams
    ) -> dict[int, tuple[str, MediaDescription]]:
        """Which m-line of ``offer`` gets which stream, and our answer to it."""
        taken: dict[int, tuple[str, MediaDescription]] = {}
        free = dict(streams)
        for at, name in self._candidates(offer, streams):
            if at not in taken and name in free:
                medium = free[name].answered(offer, offer.media[at], self.address)
                if medium is not None:
                    taken[at] = name, medium
                    del free[name]
        return taken

    def _candidates(self, offer: SessionDescription, streams: Streams) -> Iterator[tuple[int, str]]:
        live = [at for at, medium in enumerate(offer.media) if not medium.rejected]
        for at in live:
            if at < len(self.slots) and (name := self.slots[at]) is not None:
                yield at, name
        for at in live:
            for name in streams:
                yield at, name

    def _describe(
        self, times: tuple[str, ...], attributes: tuple[str, ...], media: Iterable[MediaDescription]
    ) -> SessionDescription:
        """The whole description, as it follows ``sent`` in one session (RFC 3264 §8): with the next version
        in o=, or ``sent`` itself when nothing has changed."""
        sent = self.sent
        origin = sent.origin if sent else self.origin
        times = tuple([f"t={time}" for time in times or ("0 0",)])
        lines = ("v=0", f"o={origin}", "s=-", f"c={Connection(self.address)}", *times, *attributes)
        described = SessionDescription(lines, tuple(media))
        if sent is None or described == sent:
            return sent or described
        return described.with_origin(attrs.evolve(origin, session_version=origin.session_version + 1))


@lru_cache(maxsize=128)
def _first_answer(shape: Shape) -> Negotiation:
    answer = shape.answer()
    assert isinstance(answer, Negotiation)
    return answer


def _keeping(known: PayloadTypes, remote: SessionDescription, kinds: Collection[str]) -> PayloadTypes:
    """With the numbers of the peer's description, as far as we have such media."""
    for medium in remote.media:
        if medium.kind in kinds:
            known = known.keeping(medium.kind, medium.codecs)
    return known


def _by_name(slots: Iterable[str | None], agreements: Iterable[Agreement]) -> Mapping[str, Agreement]:
    names = tuple(slots)
    named = ((names[agreement.index], agreement) for agreement in agreements)
    return {name: agreement for name, agreement in named if name is not None}
