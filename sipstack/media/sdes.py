"""SRTP whose keys stand in the session descriptions (RFC 4568), and the same where it can be had (RFC 8643).

The keys are as well protected as the signalling is: over TLS or a secure WebSocket, hop by hop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from sipstack.errors import MediaError, NegotiationError
from sipstack.log import MEDIA
from sipstack.media.path import PathContext
from sipstack.media.transport import PortSharing, RtpTransport
from sipstack.sdp import Agreement, Attribute, MediaDescription, Profile, SessionDescription, reachable
from sipstack.sdp.crypto import SUITES, Crypto, usable

if TYPE_CHECKING:
    from sipstack.media.srtp import Receiving, Sending

SECURED = ("RTP/SAVP", "RTP/SAVPF")
PLAIN = ("RTP/AVP", "RTP/AVPF")
REMEMBERED = 8
"""Keys of the peer that are known again when it comes back to them, as the answers of forks do."""


def has_keys(offer: SessionDescription, medium: MediaDescription) -> bool:
    """Whether this m-line has a key that we can use."""
    if medium.protocol not in SECURED + PLAIN or next(usable(_lines(medium)), None) is None:
        return False
    try:
        from sipstack.media import srtp  # noqa: F401  (is it there?)
    except MediaError as error:
        MEDIA.info("the keys of an offer are passed over: %s", error)
        return False
    return True


@attrs.frozen
class KeyedRtp:
    """The profile of one protocol with keys beside it; with those of plain RTP keys are the only sign."""

    protocol: str
    _path: SdesPath

    def offer(self) -> Iterable[Attribute]:
        return self._path.offered()

    def answer(
        self, offer: SessionDescription, medium: MediaDescription, address: str
    ) -> Iterable[Attribute] | None:
        return self._path.answering(medium) if reachable(offer, medium, address) else None


class _OwnKey:
    """A key of ours, and what it protects once it is in force."""

    __slots__ = ("key", "sending")

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.sending: Sending | None = None


class SdesPath:
    """RTP over UDP with one key for each direction.

    Ours stay the same from description to description, so that the roll-over counters run on, until ``renew``
    or another port. Unless ``required``, keys go beside plain RTP (RTP/AVP), and without a key of the peer's
    nothing is protected.
    """

    def __init__(self, context: PathContext, *, required: bool = True) -> None:
        from sipstack.media.srtp import Srtp

        self._context = context
        self._required = required
        self.rtcp_mux = context.rtcp_mux
        self._transport: RtpTransport | None = None
        self._may_tell_keys = context.secure or context.insecure_keys
        first, second = (SECURED, PLAIN) if required else (PLAIN, SECURED)
        self.profiles: Sequence[Profile] = tuple([KeyedRtp(each, self) for each in first + second])
        self._srtp = Srtp(context.refused)
        self._own: dict[str, _OwnKey] = {}  # by suite
        self._theirs: dict[tuple[str, bytes], Receiving] = {}
        self._line: tuple[str, int] | None = None  # suite and tag of our line in force
        self._offered: dict[int, str] = {}  # the suite of each tag

    @property
    def security(self) -> str | None:
        suite = self._srtp.suite
        if suite is None:
            return None
        return (
            f"SDES-SRTP {suite}" if self._context.secure else f"SDES-SRTP {suite}, its keys sent in the clear"
        )

    async def open(self, host: str) -> RtpTransport:
        """Raises NegotiationError too, where keys are needed and the signalling is open to anybody."""
        if self._required and not self._may_tell_keys:
            raise NegotiationError(
                "the keys of SDES would go over signalling that nothing protects:"
                " call over TLS or WSS, or allow insecure keys"
            )
        return self.move(host)

    def move(self, host: str) -> RtpTransport:
        from sipstack.media.srtp import SrtpTransport

        transport = self._context.bind(host, self._context.ports, self._context.random.uniform)
        self.renew()  # RFC 4568 §7.1.4: another port has another key
        self._transport = SrtpTransport(transport, self._srtp)
        return self._transport

    def renew(self) -> None:
        """Our next description has new keys."""
        self._own, self._line = {}, None

    def close(self) -> None:
        self._transport = None

    # -- descriptions ----------------------------------------------------------------------------------------

    def offered(self) -> Iterable[Attribute]:
        """A line for each suite, that of the suite in force first and as it was."""
        if not self._may_tell_keys:
            return ()
        lines = dict([self._line]) if self._line else {}
        tags = (tag for tag in range(1, len(SUITES) + 2) if tag not in lines.values())
        for suite in SUITES:
            lines.setdefault(suite, 0)
        lines = {suite: tag or next(tags) for suite, tag in lines.items()}
        self._offered = {tag: suite for suite, tag in lines.items()}
        return [Crypto(tag, suite, self._own_key(suite).key).attribute() for suite, tag in lines.items()]

    def answering(self, medium: MediaDescription) -> Iterable[Attribute] | None:
        """The line that answers those of this m-line; None when none can be taken and one is needed."""
        theirs = self._chosen(medium)
        if theirs is None:
            return None if self._required else ()
        return [Crypto(theirs.tag, theirs.suite, self._own_key(theirs.suite).key).attribute()]

    def _chosen(self, medium: MediaDescription) -> Crypto | None:
        """The line of an offer that we take: the first that we can."""
        return next(usable(_lines(medium)), None) if self._may_tell_keys else None

    def _own_key(self, suite: str) -> _OwnKey:
        own = self._own.get(suite)
        if own is None:
            own = self._own[suite] = _OwnKey(self._context.random.octets(SUITES[suite]))
        return own

    # -- agreements ------------------------------------------------------------------------------------------

    async def agree(self, agreement: Agreement, *, offered: bool) -> None:
        medium = agreement.remote.media[agreement.index]
        theirs = self._answered(medium) if offered else self._chosen(medium)
        if theirs is None:
            if self._required:
                raise NegotiationError("the peer has no key for us: it would send what anybody can hear")
            self._srtp.go_plain()
            self._line = None
        else:
            own = self._own_key(theirs.suite)
            if theirs.key == own.key:
                raise NegotiationError("the peer's key is our own, sent back: nothing can be protected by it")
            self._protect(own, theirs)
            self._line = theirs.suite, theirs.tag
        if self.rtcp_mux and isinstance(self._transport, PortSharing):
            self._transport.share_port(agreement.rtcp_mux)

    def _answered(self, medium: MediaDescription) -> Crypto | None:
        """The peer's answer to our lines. Raises NegotiationError when it does not fit them (§7.1.3)."""
        values = _lines(medium)
        if not values or not self._may_tell_keys:
            return None
        fitting = (line for line in usable(values) if self._offered.get(line.tag) == line.suite)
        theirs = next(fitting, None)
        if theirs is None:
            raise NegotiationError("the peer answers with a key that fits none of those that we offered")
        return theirs

    def _protect(self, own: _OwnKey, theirs: Crypto) -> None:
        from sipstack.media.srtp import Sending

        if own.sending is None:
            own.sending = Sending(theirs.suite, own.key)
        if own.sending is not self._srtp.sending:
            # An SSRC of its own: no receiver has to guess the roll-over counter, and none is used twice.
            self._context.renumber()
        receiving = self._receiving(theirs)
        if (own.sending, receiving) != (self._srtp.sending, self._srtp.receiving):
            self._srtp.use(own.sending, receiving)
            MEDIA.info("media is protected by %s", self.security)

    def _receiving(self, theirs: Crypto) -> Receiving:
        """The context of this key: the one that is there, since its roll-over counter runs on (§7.1.4)."""
        from sipstack.media.srtp import Receiving

        key = theirs.suite, theirs.key
        receiving = self._theirs.get(key)
        if receiving is None:
            if len(self._theirs) >= REMEMBERED:
                del self._theirs[next(iter(self._theirs))]
            receiving = self._theirs[key] = Receiving(theirs.suite, theirs.key, theirs.lifetime)
        return receiving


def _lines(medium: MediaDescription) -> tuple[str, ...]:
    """Keys stand in the m-line's part alone (RFC 4568 §4)."""
    return medium.attribute_values("crypto")
