"""The answering half of a user agent: a policy at once, or a handler in a task for each call or request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any

from sipstack.core.events import InvitationReceived
from sipstack.core.outputs import Flow
from sipstack.core.uas import RETRY_AFTER
from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError, SipError
from sipstack.log import CALL, TRANSACTION
from sipstack.ua.arguments import OF_EVENTS, check_info_packages, check_method, check_packages
from sipstack.ua.authenticating import Authentication
from sipstack.ua.client import UserAgentClient
from sipstack.ua.incoming import Incoming
from sipstack.ua.incoming_info import IncomingInfo
from sipstack.ua.incoming_request import IncomingRequest
from sipstack.ua.info import Info
from sipstack.ua.invitation import Invitation
from sipstack.ua.occupancy import Occupancy
from sipstack.ua.policy import Accept, Decision, Redirect
from sipstack.ua.runtime import Arrival, Runtime
from sipstack.ua.shared_nonces import SharedNonces
from sipstack.ua.texts import Texts
from sipstack.usage.info_packages import package_of
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.received import ReceivedRequest

CallHandler = Callable[[Invitation], Awaitable[None]]
RequestHandler = Callable[[IncomingRequest], Awaitable[None]]
InfoHandler = Callable[[IncomingInfo], Awaitable[None]]
Handler = Callable[[Any], Awaitable[None]]
"""One of any kind."""
Policy = Callable[[InvitationReceived], Decision | None]


def _logged(policy: Policy) -> Policy:
    """``policy``, whose decisions are written to the log."""

    def decide(event: InvitationReceived) -> Decision | None:
        decision = policy(event)
        if decision is not None:
            status = 200 if isinstance(decision, Accept) else decision.status
            request = event.request
            text = "%s: INVITE from %s to %s is answered by the policy with %s"
            CALL.info(text, request.call_id, request.from_.uri_text, request.uri_text, status)
        return decision

    return decide


class Server:
    """The answering half of a user agent while it runs (RFC 3261 §6: UAS)."""

    def __init__(
        self,
        agent: UserAgentClient,
        runtime: Runtime,
        policy: Policy | None,
        calls: Occupancy,
        requests: Occupancy,
    ) -> None:
        self._calls = calls
        self._requests = requests
        self._agent = agent
        self._runtime = runtime
        self._policy = _logged(policy) if policy is not None and CALL.shows_info else policy
        self._handlers: dict[str, Handler] = {}  # by method; that of calls by INVITE

    @contextlib.asynccontextmanager
    async def serving(
        self,
        calls: CallHandler | None,
        requests: Mapping[str, RequestHandler],
        packages: Collection[str],
        authenticate: Authentication | None,
        info: Mapping[str, InfoHandler],
    ) -> AsyncIterator[None]:
        """See ``UserAgent.serving``."""
        for method in requests:
            check_method(method)
        check_packages(packages, requests)
        check_info_packages(info)
        handlers: dict[str, Handler] = {**requests} if calls is None else {"INVITE": calls, **requests}
        handlers |= {f"INFO {package.lower()}": handler for package, handler in info.items()}
        taken = sorted(handlers.keys() & self._handlers.keys())
        if taken:
            raise LocalProtocolError(f"the user agent has a handler already for {', '.join(taken)}")
        async with contextlib.AsyncExitStack() as registered:
            if authenticate is not None:
                await registered.enter_async_context(self._guarded(authenticate))
            for method in requests:
                by_event = bool(packages) and method in OF_EVENTS
                registered.callback(self._runtime.core.uas.hand_over(method, by_event=by_event))
            for package in packages:
                registered.callback(self._runtime.core.uas.hand_over_package(package))
            taken_packages = self._runtime.services[Info].packages
            for package in info:
                taken_packages[package.lower()] = None
                registered.callback(taken_packages.pop, package.lower())
            self._handlers |= handlers
            try:
                yield
            finally:
                for method in handlers:
                    self._handlers.pop(method, None)
                tasks = self._cancel(handlers.values())
        if tasks:
            await asyncio.wait(tasks, timeout=2 * self._runtime.grace.seconds)

    @contextlib.asynccontextmanager
    async def _guarded(self, authenticate: Authentication) -> AsyncIterator[None]:
        """Ask for credentials while the block runs."""
        runtime = self._runtime
        uas, kept = runtime.core.uas, runtime.kept
        if uas.guard is not None:
            raise LocalProtocolError("the user agent asks for credentials already, whoever serves")
        ring = authenticate._ring
        guard = uas.guard = authenticate._gatekeeper(runtime.identifiers)
        of_guard = guard, runtime.identifiers, ring
        shared = None if kept is None else SharedNonces(kept, authenticate.realm, *of_guard)
        try:
            if shared is not None:
                await shared.begin()
            yield
        finally:
            uas.guard = None
            if shared is not None:
                shared.end()

    def _cancel(self, handlers: Collection[Handler]) -> list[asyncio.Task[None]]:
        """Cancel the tasks of these handlers, and return them: they are to be waited for."""
        live = self._runtime.live
        incoming = [thing for thing in live if isinstance(thing, Incoming) and thing._handler in handlers]
        for thing in incoming:
            thing._close_nowait()
        return [thing._task for thing in incoming if thing._task is not None]

    def close_nowait(self) -> None:
        """Begin no more: what still comes in is refused with 480."""
        self._handlers.clear()

    # -- events --------------------------------------------------------------------------------------------

    def arrived(self, event: Arrival) -> None:
        """A call or a request comes in."""
        if isinstance(event, InvitationReceived):
            self._invited(event)
        else:
            self._requested(event.received)

    def _invited(self, event: InvitationReceived) -> None:
        usage = event.invitation
        if self._policy is not None and self._decided(event, self._policy):
            return
        request = event.request
        CALL.info("%s: INVITE from %s to %s", request.call_id, request.from_.uri_text, request.uri_text)
        handler = self._handlers.get("INVITE")
        if handler is None:
            CALL.info("%s: refused with 480: there is no handler of calls", request.call_id)
            self._runtime.refuse(usage, 480)
            return
        if not self._calls.admits(usage.transaction.flow):
            CALL.info("%s: refused with 503: there are %s calls", request.call_id, len(self._calls))
            self._runtime.core.count_overloaded()
            self._runtime.refuse(usage, 503, None, RETRY_AFTER)
            return
        invitation = Invitation(self._agent, self._runtime, usage, event.request)
        self._begin(invitation, handler, self._calls, usage.transaction.flow)

    def _requested(self, usage: ReceivedRequest) -> None:
        """A request comes in whose method the application has registered."""
        request = usage.request
        TRANSACTION.info("%s: %s from %s", request.call_id, request.method, request.from_.uri_text)
        if request.method == "MESSAGE" and self._runtime.services[Texts].take(usage):
            return
        package = package_of(request) if request.method == "INFO" else None
        handler = self._handlers.get(request.method if package is None else f"INFO {package}")
        if handler is None:
            self._runtime.command(usage.respond, 480, self._runtime.now())
            return
        if not self._requests.admits(usage.transaction.flow):
            self._runtime.core.count_overloaded()
            self._runtime.command(usage.respond, 503, self._runtime.now(), None, RETRY_AFTER)
            return
        kind = IncomingRequest if package is None else IncomingInfo
        incoming = kind(self._agent, self._runtime, usage)
        self._begin(incoming, handler, self._requests, usage.transaction.flow)

    # -- the policy ----------------------------------------------------------------------------------------

    def _decided(self, event: InvitationReceived, policy: Policy) -> bool:
        try:
            decision = policy(event)
            if decision is not None:
                self._decide(event.invitation, decision)
        except Exception:
            if not event.invitation.answered:
                self._runtime.refuse(event.invitation, 500)
            raise  # to the driver, which reports it
        return decision is not None

    def _decide(self, usage: IncomingInvite, decision: Decision) -> None:
        runtime = self._runtime
        match decision:
            case Accept(description=description, headers=headers):
                now = runtime.now()
                runtime.core.expire_unwatched(now)
                session = runtime.command(usage.accept, description, now, headers)
                if runtime.recorder is not None:
                    runtime.recorder.accepted(session)
            case Redirect(status=status, headers=headers):
                runtime.refuse(usage, status, None, headers)
            case _:
                runtime.refuse(usage, decision.status, decision.reason, decision.headers)

    # -- handlers ------------------------------------------------------------------------------------------

    def _begin(self, incoming: Incoming, handler: Handler, room: Occupancy, flow: Flow) -> None:
        room.enter(flow)
        self._runtime.attach(incoming, incoming._usage)
        incoming._handler = handler
        guard = self._runtime.core.uas.guard
        if guard is not None:
            incoming._user = guard.user_of(incoming.request)
            if self._runtime.recorder is not None and isinstance(incoming._usage, IncomingInvite):
                self._runtime.recorder.known_as(incoming._usage, incoming._user)
        task = incoming._task = self._runtime.loop.create_task(self._handle(incoming, handler))
        task.add_done_callback(lambda task: self._handled(incoming, task, room, flow))

    async def _handle(self, incoming: Incoming, handler: Handler) -> None:
        try:
            await handler(incoming)
        except CallEnded:
            pass  # the other side left while the handler was busy: that is no fault of its
        except Exception as error:
            # neither what others offer nor what this host lacks is a fault of the handler
            if not isinstance(error, NegotiationError) and not incoming._told:
                message = f"the handler of {incoming!r} raised"
                # without "task": from 3.12 the loop would enter the context that this task runs in
                self._runtime.loop.call_exception_handler({"message": message, "exception": error})
            status = getattr(error, "status", 500) if isinstance(error, SipError) else 500
            incoming._refuse_unanswered(status)
        finally:
            await incoming._close()

    def _handled(self, incoming: Incoming, task: asyncio.Task[None], room: Occupancy, flow: Flow) -> None:
        """The handler is done, or was cancelled before it began. What it left unanswered is refused."""
        room.leave(flow)
        self._runtime.report(task)
        self._runtime.detach(incoming, incoming._usage)
        incoming._refuse_unanswered(480)
