"""The port between signalling and media: offers, answers, news, and the audio where there is any."""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

from sipstack.errors import LocalProtocolError
from sipstack.media.audio import Audio
from sipstack.media.events import Listener
from sipstack.sdp import Direction, IceFragment, SessionDescription


class MediaPort(Protocol):
    """The media of one call, of any kind and number of streams, made when its first description is needed.

    Offer and answer come in the order of RFC 3264, which signalling keeps. An offer that the peer refused is
    followed by the next call of ``offer`` or ``answer``; what was agreed before stays in force until then.
    """

    @property
    def audio(self) -> Audio | None:
        """The audio stream that the application works with: the same object for the whole call, None for
        the whole call when the media has none. ``audio_of`` is for callers that cannot do without."""

    def attach(self, listener: Listener) -> None:
        """Call ``listener`` with each ``MediaEvent`` from now on, in place of the listener before.

        It is called in the event loop, never from within a method of this port, and not after ``close``,
        which lets go of it.
        """

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

    def confirmed(self) -> None:
        """The peer has acknowledged our answer, so its offer was not forged: send as much as there is.

        Called when ACK arrives. Until then, or until media comes from there, an answer must not make us send
        more than a few packets to the address that an offer names.
        """

    async def close(self) -> None:
        """The call is over: free all, and wait for nobody: leaving a call waits for this. When that is
        cancelled, it is called again; calling it again after it is done does nothing.
        """


@runtime_checkable
class MovableMedia(Protocol):
    """Media that can go on at another address. What cannot, is only offered again."""

    def moved(self, host: str, advertised: str | None = None) -> None:
        """We are at this address now, which the peer knows as ``advertised``: the next offer names it.

        Raises TransportError when there is no port for media, and goes on where it is.
        """


@runtime_checkable
class SignalledMedia(Protocol):
    """Media that wants to know how its call is signalled. Told before the first description."""

    def signalled(self, peer: str, secure: bool) -> None:
        """The host that the call is signalled from, and whether that is protected: then keys may travel."""


@runtime_checkable
class TrickledMedia(Protocol):
    """Media whose peer may tell its addresses one by one (RFC 8838)."""

    def trickled(self, *fragments: IceFragment) -> None:
        """These have come after its description. Those of another description are left out."""


@runtime_checkable
class SecuredMedia(Protocol):
    """Media that something may protect."""

    @property
    def security(self) -> str | None:
        """What protects the packets now, in words; None while nothing does."""


def wants_signalling(media: object) -> TypeGuard[SignalledMedia]:
    """``isinstance(media, SignalledMedia)``, which takes ten times as long, for each call."""
    return hasattr(media, "signalled")


@runtime_checkable
class RestorableMedia(Protocol):
    """Media that can go on with a call of another process. Of what cannot, a first offer is made."""

    async def restore(self, local: SessionDescription, remote: SessionDescription) -> bool:
        """Begin from the last descriptions, ours and the peer's, in place of a first offer or answer; of keys
        and passwords nothing is left in them. True when media flows as they say; False when the peer needs a
        new offer of ours, which goes on from them: the port is not ours any more, or what protected the
        packets has to be agreed on anew.

        Raises NegotiationError or RemoteProtocolError for descriptions that cannot be gone on with.
        """


@runtime_checkable
class FallingBack(Protocol):
    """Media that can make another kind of offer where the first is refused."""

    def fall_back(self) -> bool:
        """The peer has refused our first offer. True when the next one is of another kind, which the
        application has chosen too; False when there is none.
        """


def audio_of(media: MediaPort) -> Audio:
    """The audio of ``media``. Raises LocalProtocolError when it has none."""
    audio = media.audio
    if audio is None:
        raise LocalProtocolError("the media of this call has no audio")
    return audio
