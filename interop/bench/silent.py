"""A media port without media, with one fixed description: signalling is all that is measured."""

from __future__ import annotations

from interop.bench.floor import ANSWER
from sipstack import sdp
from sipstack.media.audio import Audio, MediaStatistics
from sipstack.media.events import Listener
from sipstack.sdp import Direction, SessionDescription


class Silent:
    """A MediaPort for any number of calls at once: it keeps nothing."""

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

    async def close(self) -> None:
        """Nothing is held."""
