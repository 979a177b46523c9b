"""The way of the packets of a stream, and what protects them: a kind of path for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import attrs

from sipstack.errors import MediaError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.log import MEDIA
from sipstack.media.ice_settings import Ice
from sipstack.media.peer_address import Address
from sipstack.media.transport import Bind, PortSharing, RtpTransport
from sipstack.sdp import PLAIN_RTP, Agreement, IceFragment, MediaDescription, Profile, SessionDescription


class MediaPath(Protocol):
    """How the packets of one stream travel, for as long as the stream is of this kind."""

    @property
    def profiles(self) -> Sequence[Profile]:
        """What our descriptions say about it, and which offers it can answer."""

    @property
    def rtcp_mux(self) -> bool:
        """Whether RTP and RTCP shall share one port (RFC 5761)."""

    @property
    def security(self) -> str | None:
        """What protects the packets now, in words, such as "SDES-SRTP AES_CM_128_HMAC_SHA1_80"; None while
        nothing does.
        """

    async def open(self, host: str) -> RtpTransport:
        """The transport at this address of ours, before the first description.

        Raises TransportError when there is no port.
        """

    def move(self, host: str) -> RtpTransport:
        """The transport to go on with at another address of ours; the next description tells it.

        Raises TransportError when there is no port.
        """

    async def agree(self, agreement: Agreement, *, offered: bool) -> None:
        """Offer and answer are there; ``offered`` tells that the offer was ours. Called for each agreement.

        Does not wait for the peer: what goes wrong later is told to ``PathContext.fail``. Raises
        NegotiationError, and leaves what was in force.
        """

    def close(self) -> None:
        """Let go of everything but the transport, which its user closes."""


@runtime_checkable
class KeyedPath(MediaPath, Protocol):
    """A path whose keys are told in our descriptions."""

    def renew(self) -> None:
        """Our next description has new keys."""


def _ignore(*_: object) -> None:
    """Who does not want to know."""


Peer = tuple[Address | None, Address | None]
"""Where the peer receives RTP, and RTCP."""


class SearchingPath(MediaPath, ABC):
    """A path that finds the way to the peer by itself, whatever addresses the descriptions name."""

    @property
    @abstractmethod
    def peer(self) -> Peer:
        """Where it was found; nowhere until ``PathContext.reach`` is called."""

    @abstractmethod
    async def prepare(self, offer: SessionDescription | None, told: str) -> None:
        """Get ready for our answer to ``offer``, or for our offer when it is None. The peer knows our
        address as ``told``. Raises TransportError when there is no port.
        """

    @abstractmethod
    def trickled(self, *fragments: IceFragment) -> None:
        """Candidates of the peer that come after its description."""


@attrs.frozen
class PathContext:
    """What a path is made of."""

    ports: tuple[int, int]
    """The first and the last port to use; (0, 0) for any."""
    bind: Bind
    random: Identifiers
    secure: bool
    """Whether the signalling is protected, so that keys may travel in descriptions."""
    fail: Callable[[TransportError], None]
    """The path is broken and stays so."""
    change: Callable[[], None]
    """Our description has changed: the peer needs a further offer."""
    insecure_keys: bool = False
    """Keys may travel though it is not."""
    renumber: Callable[[], None] = _ignore
    """What we send goes on as another source: under another SSRC."""
    refused: Callable[[bool], None] = _ignore
    """Called for each packet that is not let in, with whether it came before."""
    rtcp_mux: bool = False
    """Whether RTP shall share its port with RTCP, where the peer can (RFC 5761)."""
    reach: Callable[[], None] = _ignore
    """A ``SearchingPath`` has found the peer, or found it elsewhere. It has been proved to be there."""
    ice: Ice | None = None
    """Where we can be reached; None does without ICE."""
    is_restored: bool = False
    """The peer had another path to this call, in another life of ours: it must not take this for that one."""


@attrs.frozen
class PathKind:
    """One way to carry a stream, by its name in ``AudioSession(security=...)``."""

    name: str
    fits: Callable[[SessionDescription, MediaDescription], bool]
    """Whether it can answer this m-line of an offer."""
    make: Callable[[PathContext], MediaPath]
    """Raises MediaError when it needs a library that is missing."""
    tells_keys: bool = False
    """Its keys stand in the descriptions, so that the signalling has to be protected."""


class PlainPath:
    """RTP/AVP over UDP: nothing protects it."""

    profiles = PLAIN_RTP
    security = None

    def __init__(self, context: PathContext) -> None:
        self._context = context
        self.rtcp_mux = context.rtcp_mux
        self._transport: RtpTransport | None = None

    async def open(self, host: str) -> RtpTransport:
        return self.move(host)

    def move(self, host: str) -> RtpTransport:
        self._transport = self._context.bind(host, self._context.ports, self._context.random.uniform)
        return self._transport

    async def agree(self, agreement: Agreement, *, offered: bool) -> None:
        if self.rtcp_mux and isinstance(self._transport, PortSharing):
            self._transport.share_port(agreement.rtcp_mux)

    def close(self) -> None:
        self._transport = None


def is_plain(offer: SessionDescription, medium: MediaDescription) -> bool:
    """Whether the m-line is of unprotected RTP."""
    return medium.protocol in ("RTP/AVP", "RTP/AVPF")


def _has_keys(offer: SessionDescription, medium: MediaDescription) -> bool:
    if medium.attribute("crypto") is None:
        return False
    from sipstack.media.sdes import has_keys

    return has_keys(offer, medium)


def _sdes(context: PathContext) -> MediaPath:
    from sipstack.media.sdes import SdesPath

    return SdesPath(context)


def _is_plain_or_has_keys(offer: SessionDescription, medium: MediaDescription) -> bool:
    return is_plain(offer, medium) or _has_keys(offer, medium)


def _opportunistic(context: PathContext) -> MediaPath:
    from sipstack.media.sdes import SdesPath

    return SdesPath(context, required=False)


DTLS_PROTOCOLS = ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP", "RTP/SAVPF", "RTP/SAVP")
"""Those of DTLS-SRTP (RFC 5764 §8, RFC 5763); the last two are SRTP of any kind."""


def _has_certificate(offer: SessionDescription, medium: MediaDescription) -> bool:
    """Whether the m-line is of DTLS-SRTP, and we have the libraries for it."""
    if medium.protocol not in DTLS_PROTOCOLS:
        return False
    if medium.attribute("fingerprint") is None and offer.attribute("fingerprint") is None:
        return False
    try:
        import_module("sipstack.media.webrtc.path")
    except MediaError as error:
        MEDIA.warning("an offer of DTLS-SRTP is passed over: %s", error)
        return False
    return True


def _dtls(context: PathContext) -> MediaPath:
    from sipstack.media.webrtc.path import DtlsPath

    return DtlsPath(context)


PATHS: Mapping[str, PathKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            PathKind("none", is_plain, PlainPath),
            PathKind("sdes", _has_keys, _sdes, tells_keys=True),
            PathKind("dtls", _has_certificate, _dtls),
            PathKind("opportunistic", _is_plain_or_has_keys, _opportunistic),
        )
    }
)
"""All that can be asked for. The first of those asked for is offered, the others are accepted."""


def kinds_of(names: str | Iterable[str]) -> tuple[PathKind, ...]:
    """The kinds with these names. Raises MediaError when there is none with such a name."""
    wanted = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in wanted if name not in PATHS]
    if unknown or not wanted:
        raise MediaError(f"no such security: {', '.join(unknown)!r} (there are {', '.join(PATHS)})")
    return tuple([PATHS[name] for name in wanted])


def kind_for(
    offer: SessionDescription, media_kind: str, kinds: Iterable[PathKind], *, may_tell_keys: bool
) -> PathKind | None:
    """The one to answer the offer with: the first that fits the first m-line that any fits. What protects
    comes before what does not, and what must not be used last of all, so that its refusal says why.
    """
    ours = sorted(kinds, key=lambda kind: kind.name == "none")
    media = [medium for medium in offer.media if medium.kind == media_kind and not medium.rejected]
    allowed = [kind for kind in ours if may_tell_keys or not kind.tells_keys]
    fitting = (
        kind for some in (allowed, ours) for medium in media for kind in some if kind.fits(offer, medium)
    )
    return next(fitting, None)
