"""A media port without media, with one fixed description, to measure signalling alone."""

from __future__ import annotations

from interop.bench.floor import ANSWER
from sipstack import Audio, MediaStatistics, sdp
from sipstack.media.events import Listener
from sipstack.sdp import Direction, SessionDescription


class NoMedia:
    """A MediaPort for any number of calls at once: it has no state."""

    def __init__(self) -> None:
        self.audio = Audio(MediaStatistics)
        self._description = sdp.parse(ANSWER)

    def attach(self, listener: Listener) -> None:
        """There is never any news."""

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        """The fixed description."""
        return self._description

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        """The fixed description, whatever the offer."""
        return self._description

    async def answered(self, answer: SessionDescription) -> None:
        """Takes any answer."""

    def confirmed(self) -> None:
        """Nothing waits for it."""

    async def close(self) -> None:
        """There is nothing to close."""
