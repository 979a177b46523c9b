"""What signalling needs of media: four methods and the audio."""

from __future__ import annotations

from typing import Protocol

from sipstack.media.audio import Audio
from sipstack.sdp import Direction, SessionDescription


class MediaPort(Protocol):
    """The media of one call, made when its first description is needed.

    Offer and answer come in the order of RFC 3264, which signalling keeps. An offer that the peer refused is
    followed by the next call of ``offer`` or ``answer``; what was agreed before stays in force until then.
    """

    @property
    def audio(self) -> Audio:
        """The same object for the whole call."""

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        """Our offer, the first or a further one. Raises TransportError when there is no port for media."""

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        """Our answer to ``offer``, at once in force. Raises NegotiationError when there is none."""

    async def answered(self, answer: SessionDescription) -> None:
        """The peer's answer to our last offer.

        May be called again, with the same answer or another one: early media has one for each fork.
        Raises NegotiationError or RemoteProtocolError, and leaves what was in force.
        """

    async def close(self) -> None:
        """The call is over: free all, and wait for nobody: leaving a call waits for this. When that is
        cancelled, it is called again; calling it again after it is done does nothing.
        """
