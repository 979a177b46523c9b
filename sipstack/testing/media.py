"""Media that negotiates and stays silent: an hour of call costs nothing."""

from __future__ import annotations

from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import Audio
from sipstack.sdp import (
    STATIC_CODECS,
    Capabilities,
    Direction,
    Origin,
    SessionDescription,
    agreed,
    make_answer,
    make_offer,
)

PORT = 40000  # nobody sends anything there


class SilentMedia:
    """A MediaPort without packets. ``host`` is the address that the descriptions name."""

    def __init__(self, host: str, identifiers: Identifiers | None = None) -> None:
        self.audio = Audio()
        self.closed = False
        self.direction: Direction | None = None
        """As agreed, seen from our side; None before there is a session."""
        session_id = (identifiers or Identifiers()).session_id()
        self._host = host
        self._origin = Origin("-", session_id, session_id, host)
        codecs = tuple(codec for codec in STATIC_CODECS.values() if codec.name in ("PCMU", "PCMA"))
        self._capabilities = Capabilities(codecs)
        self._sent: SessionDescription | None = None
        self._offer: SessionDescription | None = None

    def __repr__(self) -> str:
        return f"<SilentMedia {self._host} codec={self.audio.codec}{' closed' if self.closed else ''}>"

    async def offer(self, direction: Direction = Direction.SENDRECV) -> SessionDescription:
        self._check_open()
        self._sent = self._offer = make_offer(
            self._capabilities,
            origin=self._origin,
            address=self._host,
            port=PORT,
            direction=direction,
            previous=self._sent,
        )
        return self._offer

    async def answer(
        self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
    ) -> SessionDescription:
        self._check_open()
        answer = make_answer(
            offer,
            self._capabilities.keeping(offer),
            origin=self._origin,
            address=self._host,
            port=PORT,
            direction=direction,
            previous=self._sent,
        )
        self._agree(answer, offer)
        self._sent, self._offer = answer, None
        return answer

    async def answered(self, answer: SessionDescription) -> None:
        self._check_open()
        if self._offer is None:
            raise LocalProtocolError("there is no offer of ours to be answered")
        self._agree(self._offer, answer)

    def _check_open(self) -> None:
        if self.closed:
            raise LocalProtocolError("the media is closed")

    def _agree(self, local: SessionDescription, remote: SessionDescription) -> None:
        agreements = agreed(local, remote)
        if not agreements:
            raise NegotiationError("no audio in common")
        self.direction = agreements[0].direction
        self.audio.codec = agreements[0].codec.name

    async def close(self) -> None:
        self.closed = True
        self.audio.end(CallEnded("local", "the media is closed"))
