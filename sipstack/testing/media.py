"""Media that negotiates and stays silent: an hour of call costs nothing."""

from __future__ import annotations

from sipstack.errors import CallEnded, LocalProtocolError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio
from sipstack.media.dtmf import Dtmf
from sipstack.media.events import Listener, MediaEvent
from sipstack.sdp import (
    STATIC_CODECS,
    Capabilities,
    Direction,
    MediaStream,
    Negotiation,
    Origin,
    SessionDescription,
)

PORT = 40000  # nobody sends anything there
G711 = Capabilities((STATIC_CODECS[0], STATIC_CODECS[8]))


class SilentMedia:
    """A MediaPort without packets. ``host`` is the address that the descriptions name."""

    def __init__(self, host: str, identifiers: Identifiers | None = None) -> None:
        self.audio = Audio()
        self.dtmf = Dtmf(self.audio)
        self.closed = False
        self.direction: Direction | None = None
        """As agreed, seen from our side; None before there is a session, and while it has no audio."""
        session_id = (identifiers or Identifiers()).session_id()
        self._host = host
        self._negotiation = Negotiation(Origin("-", session_id, session_id, host), host)
        self._listener: Listener | None = None

    def __repr__(self) -> str:
        return f"<SilentMedia {self._host} codec={self.audio.codec}{' closed' if self.closed else ''}>"

    def attach(self, listener: Listener) -> None:
        if not self.closed:
            self._listener = listener

    def report(self, event: MediaEvent) -> None:
        """Have this happen: the call is told. Once the media is closed, nobody is."""
        if self._listener is not None:
            self._listener(event)

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        self._check_open()
        return self._take(self._negotiation.offer(_streams(direction)))

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        self._check_open()
        return self._take(self._negotiation.answer(offer, _streams(direction)))

    async def answered(self, answer: SessionDescription) -> None:
        self._check_open()
        self._take(self._negotiation.answered(answer))

    async def restore(self, local: SessionDescription, remote: SessionDescription) -> bool:
        self._check_open()
        self._take(Negotiation.restored(local, remote, {"audio": "audio"}))
        return True

    def confirmed(self) -> None:
        """Nothing waits for it."""

    async def close(self) -> None:
        self.closed = True
        self._listener = None
        self.audio.end(CallEnded("local", "the media is closed"))

    def _check_open(self) -> None:
        if self.closed:
            raise LocalProtocolError("the media is closed")

    def _take(self, negotiation: Negotiation) -> SessionDescription:
        """This is how things stand now; our description."""
        self._negotiation = negotiation
        agreement = negotiation.agreements.get("audio")
        self.direction = agreement.direction if agreement else None
        if agreement:
            self.audio.codec = agreement.codec.name
        return negotiation.local


def _streams(direction: Direction) -> dict[str, MediaStream]:
    return {"audio": MediaStream("audio", G711, PORT, direction)}
