"""The address of the peer's packets, in and out: symmetric RTP (RFC 4961), also called latching.

Behind a NAT the peer cannot tell its address; it is learned from what arrives.
"""

from __future__ import annotations

from typing import Any

Address = tuple[Any, ...]
"""As sockets give it: (host, port), for IPv6 (host, port, flow, scope)."""


class PeerAddress:
    """The address of one peer, as it was signalled and as it was learned.

    The first source of a valid packet is believed and no other one, so that nobody else can take the media
    over later; except the address that was signalled, which may come at any time and is final.
    """

    __slots__ = ("signalled", "source")

    def __init__(self) -> None:
        self.signalled: Address | None = None
        """The address that the peer signalled."""
        self.source: Address | None = None
        """The address that packets are accepted from; None until one came."""

    @property
    def destination(self) -> Address | None:
        """The address to send to; None until the peer has told its address."""
        return self.signalled and (self.source or self.signalled)

    def signal(self, address: Address | None) -> None:
        """The peer's description names this address. A new one makes us forget the source."""
        if address != self.signalled:
            self.signalled = address
            self.source = None

    def accept(self, source: Address) -> bool:
        """Whether a valid packet from ``source`` is the peer's."""
        if self.source is None or source == self.signalled:
            self.source = source
        return source == self.source
