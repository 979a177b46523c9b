"""The extensions of one call together: in the order in which they were registered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.dialog.services import CoreServices, Refusal
from sipstack.errors import ParseError, RemoteProtocolError, SipError
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import ClientUser
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import (
    NO_WISHES,
    Action,
    Ask,
    CallExtension,
    Close,
    Confirm,
    Ignore,
    Refuse,
    Reinvite,
    Reply,
    Resend,
    Retry,
    Supplant,
    TakeOffer,
)


class ExtendedCall(Protocol):
    """Carries out what the extensions of a call decide."""

    @property
    def dialog(self) -> Dialog: ...

    def close(self, close: Close, now: float) -> None: ...

    def settle(self, now: float) -> None: ...

    def ask(self, ask: Ask, user: ClientUser, now: float) -> None: ...

    def reinvite(self, now: float) -> None: ...

    def take_reliable(self, response: Response, ask: Ask, user: ClientUser, now: float) -> None: ...

    def resend(self, now: float) -> None: ...

    def refuse(self, status: int, now: float) -> None: ...

    def supplant(self, session: Any, now: float) -> None: ...

    def reply(
        self, reply: Reply | TakeOffer, request: Request, transaction: AnyServer, now: float
    ) -> None: ...


class Extensions:
    """All that the parts add and decide; ``call`` carries it out. None before there is a dialog."""

    __slots__ = ("_call", "_core", "_parts", "_retried", "scheduled")

    def __init__(
        self, core: CoreServices, parts: tuple[CallExtension, ...], call: ExtendedCall | None = None
    ) -> None:
        self._core = core
        self._parts = parts
        self._call = call
        self._retried: set[tuple[int, int]] | None = None
        self.scheduled = NEVER

    def fork(self, call: ExtendedCall) -> Extensions:
        """Those of one dialog."""
        return Extensions(self._core, tuple([part.fork() for part in self._parts]), call)

    def find(self, name: str) -> CallExtension | None:
        """The part of this name."""
        return next((part for part in self._parts if part.name == name), None)

    def put(self, part: CallExtension) -> None:
        """``part`` takes part as well, in place of the one with its name."""
        self._parts = (*(other for other in self._parts if other.name != part.name), part)
        self._schedule()

    # -- what they add -------------------------------------------------------------------------------------

    def outgoing(self, method: str) -> HeaderFields:
        """The fields of a request of ours."""
        fields: HeaderFields = ()
        for part in self._parts:
            fields += part.outgoing(method)
        return fields

    def answering(
        self,
        request: Request,
        status: int,
        now: float,
        *,
        described: bool = False,
        wishes: Mapping[str, Any] = NO_WISHES,
    ) -> HeaderFields:
        """The fields of our response."""
        fields: list[tuple[str, object]] = []
        for part in self._parts:
            wish = wishes.get(part.name)
            fields += part.answering(request, status, now, described=described, wish=wish)
        self._schedule()
        return tuple(fields)

    def refusal(self, request: Request) -> Refusal | None:
        """The first that refuses an INVITE decides."""
        return next((refused for part in self._parts if (refused := part.refusal(request))), None)

    # -- what they decide ----------------------------------------------------------------------------------

    def progressed(self, response: Response, now: float) -> bool:
        """A provisional response to an INVITE of ours: whether it counts."""
        for part in self._parts:
            action = part.answered(response, now)
            if action is None:
                continue
            if isinstance(action, Ignore):
                return False
            if isinstance(action, Confirm) and self._call is not None:
                self._call.take_reliable(response, action.ask, Asking(self, part, action.ask), now)
            else:
                self.perform(part, action, now)
        self._schedule()
        return True

    def answered(self, response: Response, now: float) -> Retry | None:
        """A final response to an INVITE of ours: the retry that one asks for and may have. The rest is
        carried out.
        """
        retry: Retry | None = None
        for number, part in enumerate(self._parts):
            action = part.answered(response, now)
            if isinstance(action, Retry):
                cause = number, response.status
                if retry is None and cause not in (self._retried or ()):
                    self._retried = {*(self._retried or ()), cause}
                    retry = action
            elif action is not None:
                self.perform(part, action, now)
        if retry is None and response.status >= 200:  # the next INVITE may be tried again as well
            self._retried = None
        self._schedule()
        return retry

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> bool:
        """A request inside of the call: whether one of them has added its method, and so answers it."""
        part = next((part for part in self._parts if request.method in part.methods), None)
        if part is None or self._call is None:
            return False
        self._call.reply(part.request_received(request, now), request, transaction, now)
        self._schedule()
        return True

    @property
    def takes_update(self) -> bool:
        """Whether the other side is known to take UPDATE."""
        return any(part.takes_update for part in self._parts)

    def must_wait(self) -> bool:
        """Whether our next response has to wait."""
        return any(part.holding for part in self._parts)

    def perform(
        self, part: CallExtension, action: Action | Resend | Refuse | Supplant | None, now: float
    ) -> None:
        """Carry out what ``part`` decided."""
        if self._call is None:
            return
        if isinstance(action, Close):
            self._call.close(action, now)
        elif isinstance(action, Ask):
            self._call.ask(action, Asking(self, part, action), now)
        elif isinstance(action, Reinvite):
            self._call.reinvite(now)
        elif isinstance(action, Resend):
            self._call.resend(now)
        elif isinstance(action, Refuse):
            self._call.refuse(action.status, now)
        elif isinstance(action, Supplant):
            self._call.supplant(action.session, now)

    def decided(self, part: CallExtension, ask: Ask, action: Action | None, now: float) -> None:
        """What ``part`` makes of the outcome of what it asked for."""
        if isinstance(action, Retry):
            headers = Headers(ask.headers).replaced(Headers(action.headers))
            action = attrs.evolve(ask, headers=tuple(headers.items()))
        self.perform(part, action, now)
        self._schedule()

    def refresh_target(self, response: Response) -> None:
        """The 2xx to a target refresh request; one whose Contact is of no use changes nothing."""
        if self._call is not None:
            with suppress(ParseError, RemoteProtocolError):
                self._call.dialog.refresh_target(response)

    def settle(self, now: float) -> None:
        """A refresh of ours was taken: there is a new stable state."""
        if self._call is not None:
            self._call.settle(now)

    def record(self, now: float) -> dict[str, dict[str, object]]:
        """The state of each part that has one, by its name."""
        return {part.name: state for part in self._parts if (state := part.record(now))}

    def restore(self, record: dict[str, dict[str, object]], now: float) -> None:
        """Each part goes on with what it recorded."""
        for part in self._parts:
            part.restore(record.get(part.name, {}), now)
        self._schedule()

    # -- time ----------------------------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        first = NEVER
        for part in self._parts:
            if part.deadline < first:
                first = part.deadline
        return first

    @property
    def needed_at(self) -> float:
        """When the first of them has something to do: the call must be here by then."""
        return min((part.needed_at for part in self._parts), default=NEVER)

    def timeout(self, now: float) -> None:
        for part in self._parts:
            if now >= part.deadline:
                part.deadline = NEVER
                self.perform(part, part.timeout(now), now)
        self._schedule()

    def faulted(self, error: SipError, now: float) -> None:
        if self._call is not None:
            self._call.close(Close("local", str(error)), now)

    def stop(self) -> None:
        """The call is over: none of them waits for anything, nor lives as long as our entry among the
        deadlines.
        """
        self._parts = ()
        self._call = None

    def _schedule(self) -> None:
        if self._call is not None and self.deadline < self.scheduled:
            self._core.schedule(self)


class Asking:
    """The user of a request that an extension asked for."""

    __slots__ = ("_ask", "_extensions", "_part")

    def __init__(self, extensions: Extensions, part: CallExtension, ask: Ask) -> None:
        self._extensions = extensions
        self._part = part
        self._ask = ask

    def response_received(self, response: Response, now: float) -> None:
        if response.status >= 200:
            if self._ask.refreshes and response.status < 300:
                self._extensions.refresh_target(response)
            self._extensions.decided(self._part, self._ask, self._part.answered(response, now), now)
            if self._ask.refreshes and response.status < 300:
                self._extensions.settle(now)

    def request_failed(self, error: SipError, now: float) -> None:
        self._extensions.decided(self._part, self._ask, self._part.failed(error, now), now)
