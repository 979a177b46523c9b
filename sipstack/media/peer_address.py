"""The address of the peer's packets, in and out: symmetric RTP (RFC 4961), also called latching.

Behind a NAT the peer cannot tell its address; it is learned from what arrives.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from sipstack.errors import MediaError

Address = tuple[Any, ...]
"""As sockets give it: (host, port), for IPv6 (host, port, flow, scope)."""

Latch = Literal["off", "once", "auto"]
"""Whose packets are the peer's, beside those from the address that it signalled: nobody's; those of the
first source after each description; those of whom ``PeerAddress`` believes."""

LATCHES: tuple[Latch, ...] = get_args(Latch)
PROBATION = 4
"""Packets in a row, by their sequence numbers, until an address that nobody named is believed."""
STRAGGLERS = 25
"""The same for the source that the description before this one had: its last packets may be under way."""
SILENCE = 0.5
"""Seconds without a packet of the present source, before another one may take its place."""
CANDIDATES = 16
"""Addresses on probation at once."""


def known_latch(latch: str) -> Latch:
    """The one of this name. Raises MediaError."""
    for each in LATCHES:
        if each == latch:
            return each
    raise MediaError(f"no such latch: {latch!r} (there are {', '.join(LATCHES)})")


class PeerAddress:
    """The address of one peer, as it was signalled and as it was learned.

    The address that was signalled is believed at once, at any time. So is the first source on its host, or on
    the host that the signalling comes from (``trusted``). Any other has to send several packets in a row: one
    stray packet, or an attacker that sprays all ports, takes nothing over. Whoever is believed stays so until
    it falls silent, and a new description lets the next one in without waiting for that.

    So it is with the latch "auto". With "off" the address that was signalled is the only one, ever; with
    "once" the first source after a description is the peer's, whoever it is, until the next description.
    """

    __slots__ = (
        "_candidates",
        "_former",
        "_heard_at",
        "_latch",
        "_locked",
        "_named",
        "_trusted",
        "signalled",
        "source",
    )

    def __init__(self, trusted: str | None = None, latch: Latch = "auto") -> None:
        self._latch = latch
        self._locked = False  # with "once": the first source has come
        self.signalled: Address | None = None
        """The address that the peer signalled."""
        self.source: Address | None = None
        """The address that packets are accepted from; None until one came."""
        self._trusted = trusted
        self._named: Address | None = None  # what was signalled last, holds by 0.0.0.0 apart
        self._former: Address | None = None
        self._heard_at: float | None = None  # since the last description
        self._candidates: dict[Address, tuple[int, int]] = {}  # packets in a row, next sequence number

    @property
    def destination(self) -> Address | None:
        """The address to send to; None until the peer has told its address."""
        return self.signalled and (self.source or self.signalled)

    def signal(self, address: Address | None) -> None:
        """The peer's description names this address; None for none. A new one makes us forget the source."""
        self.signalled = address
        self._heard_at = None
        self._locked = False
        self._candidates.clear()
        if address is None or address == self._named:
            return
        if self._named is not None:
            self._former, self.source = self.source, None
        self._named = address

    def accept(self, source: Address, sequence_number: int, now: float) -> bool:
        """Whether a valid packet from ``source`` is the peer's."""
        if self._latch == "off":
            return source == self.signalled
        if self._latch == "once" and not self._locked and self.signalled is not None:
            self._locked, self.source = True, source
            return True
        if source != self.source:
            if not self._takes_over(source, sequence_number, now):
                return False
            self.source = source
            self._candidates.clear()
        self._heard_at = now
        return True

    def _takes_over(self, source: Address, sequence_number: int, now: float) -> bool:
        if self._latch == "once":
            return False
        if source == self.signalled:
            return True
        if self.source is None and source != self._former and source[0] in self._hosts():
            return True
        count = self._in_a_row(source, sequence_number)
        if count < (STRAGGLERS if source == self._former else PROBATION):
            return False
        return self.source is None or self._heard_at is None or now - self._heard_at >= SILENCE

    def _hosts(self) -> tuple[Any, ...]:
        return self._trusted, self._named and self._named[0]

    def _in_a_row(self, source: Address, sequence_number: int) -> int:
        candidates = self._candidates
        count, expected = candidates.pop(source, (0, sequence_number))
        ahead = (sequence_number - expected) & 0xFFFF
        count = count + 1 if ahead < PROBATION else 1
        if len(candidates) >= CANDIDATES:
            del candidates[next(iter(candidates))]
        candidates[source] = count, (sequence_number + 1) & 0xFFFF
        return count
