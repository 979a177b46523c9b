"""Requests in dialogs that we do not have, or to take their place: another process of ours may have left them
in the store.

The request waits, bounded in number and time, until its session is loaded; then it is answered as if the
process had always been here. Who has no session gets 481 (RFC 3261 §12.2.2); while nobody knows, 503: a peer
that is told 481 gives its call up.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

from sipstack.core.outputs import DialogKey, Load, Loaded, Output, dialog_key
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError, SipError
from sipstack.message import Request, SipUri
from sipstack.outcome import Absent
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.session import Session

MOST = 10_000
"""Dialogs that are loaded at a time."""
MOST_OF_ONE = 8
"""Requests that wait for one of them."""
PATIENCE = 4.0
"""Seconds that a request waits for the store."""


class TakeoverCore(Protocol):
    """The parts of the core that taking over needs."""

    def output(self, output: Output) -> None: ...

    def schedule(self, item: Timed) -> None: ...

    def find_dialog(self, call_id: str, local_tag: str, remote_tag: str) -> DialogUsages | None: ...

    def put_off(self, request: Request, transaction: AnyServer, now: float) -> None:
        """Nobody knows whose it is: the peer may come again."""

    def origin(self, request: Request, flow: Flow, now: float) -> Flow:
        """``flow``, over which ``request`` came, with the address of the peer."""

    def restore(self, loaded: Loaded, flow: Flow | None, now: float) -> Session:
        """Go on with the session; its event tells the user agent. Raises LocalProtocolError when it is here
        already, or over.
        """

    def take(self, request: Request, transaction: AnyServer, now: float) -> None:
        """A request in a dialog, or one that means it, which is here by now or nowhere."""


Waiting = list[tuple[Request, AnyServer]]


class Takeovers:
    """What is being loaded, and the requests that wait for it."""

    __slots__ = ("_core", "_loading", "_resumed", "leaving")

    def __init__(self, core: TakeoverCore) -> None:
        self._core = core
        self._loading: dict[DialogKey, Loading] = {}
        self._resumed: dict[DialogKey, Waiting] = {}
        self.leaving = False
        """Whether nothing is claimed any more."""

    def __len__(self) -> int:
        return len(self._loading)

    def wait(
        self, request: Request, transaction: AnyServer, now: float, key: DialogKey | None = None
    ) -> bool:
        """Let ``request`` wait for its dialog, or for another one that it means; False when too much waits
        already.
        """
        key = key or dialog_key(request)
        loading = self._loading.get(key)
        if loading is None:
            if len(self._loading) >= MOST:
                return False
            uri = request.uri
            loading = self._begin(Load(key, (uri.user or "") if isinstance(uri, SipUri) else ""), now)
        elif len(loading.requests) >= MOST_OF_ONE:
            return False
        loading.requests.append((request, transaction))
        return True

    def withdraw(self, request: Request, transaction: AnyServer) -> bool:
        """Let ``request`` wait no longer: it is answered in another way. False when it does not wait."""
        loading = self._loading.get(dialog_key(request))
        if loading is None:
            return False
        before = len(loading.requests)
        loading.requests = [waiting for waiting in loading.requests if waiting[1] is not transaction]
        return len(loading.requests) < before

    def claim(self, key: DialogKey, now: float, epoch: int | None = None) -> bool:
        """Take the session over without having been asked: its owner is dead, or was this one before. With
        ``epoch`` only if that is still its own. False when it is being loaded already, or too much is, or
        we are leaving.
        """
        if self.leaving or key in self._loading or len(self._loading) >= MOST:
            return False
        self._begin(Load(key, epoch=epoch), now)
        return True

    def _begin(self, load: Load, now: float) -> Loading:
        loading = self._loading[load.key] = Loading(self, load, now)
        self._core.output(load)
        self._core.schedule(loading)
        return loading

    def loaded(self, load: Load, found: Loaded | Absent, now: float) -> None:
        """The answer to ``load``. One that comes too late changes nothing: the next request loads again."""
        loading = self._loading.get(load.key)
        if loading is None or loading.load is not load:
            return
        del self._loading[load.key]
        loading.over()
        requests = sorted(loading.requests, key=_place)
        flow = self._flow_of_peer(requests, now)
        if isinstance(found, Loaded):
            if found.record.dialog.secure and flow is not None and not flow.secure:
                found = Absent.UNKNOWN  # a secure session has no business with who comes in the clear
            elif found.record.dialog.key != load.key:
                found = Absent.UNKNOWN  # somebody has put it there who has no business with it
            else:
                with suppress(LocalProtocolError):
                    self._core.restore(found, flow, now)
                    self._resumed[load.key] = requests
                    return
        for request, transaction in requests:
            if found is Absent.FAILED:
                self._core.put_off(request, transaction, now)
            else:
                self._core.take(request, transaction, now)

    def _flow_of_peer(self, requests: Waiting, now: float) -> Flow | None:
        """Where its peer is; who only means the dialog, by Replaces, is not."""
        if not requests or requests[0][0].to.tag is None:
            return None
        request, transaction = requests[0]
        return self._core.origin(request, transaction.flow, now)

    def proceed(self, key: DialogKey, now: float) -> None:
        """The user agent has heard of the session, and made of it what it wants: its requests go on. Where
        another process was faster meanwhile they may come again: 481 would end the call.
        """
        requests = self._resumed.pop(key, [])
        lost = bool(requests) and self._core.find_dialog(*key) is None
        for request, transaction in requests:
            if lost:
                self._core.put_off(request, transaction, now)
            else:
                self._core.take(request, transaction, now)


def _place(waiting: tuple[Request, AnyServer]) -> tuple[bool, int]:
    """Those of its peer come first, in their order."""
    request = waiting[0]
    return request.to.tag is None, request.cseq.number


class Loading:
    """One session on its way here."""

    __slots__ = ("_takeovers", "_until", "load", "requests", "scheduled")

    def __init__(self, takeovers: Takeovers, load: Load, now: float) -> None:
        self._takeovers = takeovers
        self._until = now + PATIENCE
        self.load = load
        self.requests: Waiting = []
        self.scheduled = NEVER

    @property
    def deadline(self) -> float:
        return self._until

    def over(self) -> None:
        """Nothing waits any more."""
        self._until = NEVER

    def timeout(self, now: float) -> None:
        if now >= self._until:
            self._takeovers.loaded(self.load, Absent.FAILED, now)

    def faulted(self, error: SipError, now: float) -> None:
        self._takeovers.loaded(self.load, Absent.FAILED, now)
