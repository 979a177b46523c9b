"""A session of RTP that goes on from its last descriptions, in another process than agreed on them.

Plain RTP goes on at the same port, where that is free: the peer hears us again without having been asked.
What was protected does not: its keys are gone for good, since the same key with the same SSRC and packet
numbers would repeat the keystream (RFC 3711 §9.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from sipstack.errors import TransportError
from sipstack.log import MEDIA
from sipstack.media.codecs import AudioCodec
from sipstack.media.path import MediaPath
from sipstack.media.path_choice import PathChoice
from sipstack.media.stream import AudioStream
from sipstack.media.transport import RtpTransport
from sipstack.sdp import MediaDescription, Negotiation, SessionDescription
from sipstack.sdp.recordable import Keying, keying_of


class RestoredSession(ABC):
    """Base of ``AudioSession``: how it begins from a pair that was agreed before."""

    _choice: PathChoice
    _codecs: Mapping[tuple[str | int, ...], AudioCodec]
    _negotiation: Negotiation
    _told: str

    async def restore(self, local: SessionDescription, remote: SessionDescription) -> bool:
        """See ``RestorableMedia``."""
        self._check_open()
        negotiation = Negotiation.restored(local, remote, {"audio": "audio"})
        self._choice.go_on(local, remote)
        medium = self._in_place(negotiation, local)
        if keying_of(bytes(local), bytes(remote)) is Keying.NONE and medium is not None:
            opened = await self._open_at(medium.port)
            if opened is not None:
                path, _, stream = opened
                self.confirmed()
                await self._apply(path, stream, negotiation, offered=False)
                return True
        self._negotiation = negotiation
        return "audio" not in negotiation.agreements  # then there is nothing to be agreed on again

    def _in_place(self, negotiation: Negotiation, local: SessionDescription) -> MediaDescription | None:
        """Our m-line, if the peer sends to where we are, and we have the codec that it takes."""
        agreement = negotiation.agreements.get("audio")
        if agreement is None or agreement.codec.key not in self._codecs:
            return None
        medium = local.media[agreement.index]
        connection = local.connection_of(medium)
        return medium if connection is not None and connection.address == self._told else None

    async def _open_at(self, port: int) -> tuple[MediaPath, RtpTransport, AudioStream] | None:
        """The stream at this port of ours; None where somebody else has it."""
        configured, self._choice.ports = self._choice.ports, (port, port + 1)
        try:
            return await self._open()
        except TransportError as error:
            MEDIA.info("port %s cannot be taken again: %s", port, error)
            return None
        finally:
            self._choice.ports = configured

    # -- of AudioSession -----------------------------------------------------------------------------------

    @abstractmethod
    def confirmed(self) -> None: ...

    @abstractmethod
    def _check_open(self) -> None: ...

    @abstractmethod
    async def _open(self) -> tuple[MediaPath, RtpTransport, AudioStream]: ...

    @abstractmethod
    async def _apply(
        self, path: MediaPath, stream: AudioStream, negotiation: Negotiation, *, offered: bool
    ) -> None: ...
