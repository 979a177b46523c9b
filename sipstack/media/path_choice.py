"""Which kind of path a session goes by: what it offers, what it accepts, and what it offers next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from sipstack.errors import NegotiationError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.media.audio import MediaStatistics
from sipstack.media.ice_settings import Ice
from sipstack.media.path import MediaPath, PathContext, PathKind, kind_for, kinds_of
from sipstack.media.transport import Bind
from sipstack.sdp import SessionDescription
from sipstack.sdp.recordable import Keying, keying_of

ANY = ("none", "sdes", "dtls")
"""Where the application has no wish: plain RTP is offered, and whatever protects is accepted."""


class Refusals:
    """Packets that were not let in by what protects the others."""

    __slots__ = ("repeated", "unproved")

    def __init__(self) -> None:
        self.repeated = self.unproved = 0

    def __call__(self, repeated: bool) -> None:
        """Count one; ``repeated``: it came before."""
        if repeated:
            self.repeated += 1
        else:
            self.unproved += 1

    def counted(self, statistics: MediaStatistics) -> MediaStatistics:
        """``statistics`` with them."""
        if not self.repeated and not self.unproved:
            return statistics
        return attrs.evolve(statistics, packets_replayed=self.repeated, packets_unproved=self.unproved)


class PathChoice:
    """The kinds in their order, and what paths are made of. ``kind`` is that of our offers."""

    ports: tuple[int, int]
    """The first and the last port for the next path; (0, 0) for any."""

    def __init__(
        self,
        security: str | Sequence[str] | None,
        *,
        insecure_keys: bool,
        rtcp_mux: bool,
        ice: Ice | None,
        ports: tuple[int, int],
        bind: Bind,
        random: Identifiers,
    ) -> None:
        self._kinds = kinds_of(ANY if security is None else security)
        self._falls_back = security is not None  # what nobody asked for is not tried
        self.kind = self._kinds[0]
        self.is_signalled_securely = False
        self._is_restored = False
        self.refused = Refusals()
        self._insecure_keys, self._rtcp_mux, self._ice = insecure_keys, rtcp_mux, ice
        self.ports = ports
        self._bind, self._random = bind, random

    def make(
        self,
        kind: PathKind,
        fail: Callable[[TransportError], None],
        change: Callable[[], None],
        renumber: Callable[[], None],
        reach: Callable[[], None],
    ) -> MediaPath:
        """A path of this kind; what it calls is told in ``PathContext``. Raises MediaError when it needs a
        library that is missing.
        """
        context = PathContext(
            self.ports,
            self._bind,
            self._random,
            self.is_signalled_securely,
            fail,
            change,
            self._insecure_keys,
            renumber,
            self.refused,
            self._rtcp_mux,
            reach,
            self._ice,
            self._is_restored,
        )
        return kind.make(context)

    @property
    def _may_tell_keys(self) -> bool:
        """Whether keys may stand in descriptions."""
        return self.is_signalled_securely or self._insecure_keys

    def towards(self, offer: SessionDescription) -> PathKind:
        """The kind to answer this offer with."""
        return kind_for(offer, "audio", self._kinds, may_tell_keys=self._may_tell_keys) or self.kind

    def go_on(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Offer the kind that a session of these descriptions had, or one that protects no less. Raises
        NegotiationError where there is none: a session never goes on in the clear that was not.
        """
        self._is_restored = True
        keying = keying_of(bytes(local), bytes(remote))
        if keying is Keying.NONE:
            return
        wanted = ("dtls",) if keying is Keying.DTLS else ("sdes", "opportunistic")
        protected = [kind for kind in self._kinds if kind.name in ("sdes", "dtls")]
        before = [kind for kind in self._kinds if kind.name in wanted]
        kinds = [kind for kind in (*before, *protected) if self._may_tell_keys or not kind.tells_keys]
        if not kinds:
            raise NegotiationError(f"the call was protected ({keying.value}), and here it could not be")
        self.kind = kinds[0]

    def fall_back(self) -> bool:
        """Take the next kind that may be offered; False when there is none."""
        later = self._kinds[self._kinds.index(self.kind) + 1 :] if self._falls_back else ()
        for kind in later:
            if self._may_tell_keys or not kind.tells_keys:
                self.kind = kind
                return True
        return False
