"""Who answers: the policy at once, or the handler in a task of its own for each invitation."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from sipstack.core.events import InvitationReceived
from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError, SipError
from sipstack.ua.invitation import Invitation
from sipstack.ua.policy import Accept, Decision, Redirect
from sipstack.usage.invite.incoming import IncomingInvite

if TYPE_CHECKING:
    from sipstack.ua.agent import UserAgent

Handler = Callable[[Invitation], Awaitable[None]]
Policy = Callable[[InvitationReceived], Decision | None]


class Server:
    """The invitations of one user agent that are being handled."""

    def __init__(self, agent: UserAgent, policy: Policy | None) -> None:
        self._agent = agent
        self._policy = policy
        self._handler: Handler | None = None
        self._invitations: dict[IncomingInvite, Invitation] = {}

    @contextlib.asynccontextmanager
    async def serving(self, handler: Handler) -> AsyncIterator[None]:
        """See ``UserAgent.serving``."""
        if not self._agent.running or self._handler is not None:
            raise LocalProtocolError("the user agent is not running, or has a handler already")
        self._handler = handler
        try:
            yield
        finally:
            tasks = self.close()
            if tasks:
                await asyncio.wait(tasks, timeout=2 * self._agent.patience)

    def close(self) -> list[asyncio.Task[None]]:
        """Take no more calls, and cancel the tasks that handle one: they are what is left to wait for."""
        self._handler = None
        tasks = [invitation.task for invitation in self._invitations.values() if invitation.task is not None]
        for task in tasks:
            task.cancel()
        return tasks

    # -- events --------------------------------------------------------------------------------------------

    def invited(self, event: InvitationReceived) -> None:
        """Somebody calls."""
        usage = event.invitation
        if self._policy is not None and self._decided(event, self._policy):
            return
        if self._handler is None:
            self._refuse(usage, 480)
            return
        invitation = self._invitations[usage] = Invitation(self._agent, usage, event.request)
        task = invitation.task = self._agent.loop.create_task(self._handle(invitation, self._handler))
        task.add_done_callback(lambda _: self._handled(invitation))

    def cancelled(self, usage: IncomingInvite) -> None:
        """The caller gave up: so does the handler."""
        invitation = self._invitations.get(usage)
        if invitation is not None:
            invitation.cancelled = True
            if invitation.task is not None:
                invitation.task.cancel()

    # -- the policy ----------------------------------------------------------------------------------------

    def _decided(self, event: InvitationReceived, policy: Policy) -> bool:
        try:
            decision = policy(event)
            if decision is not None:
                self._decide(event.invitation, decision)
        except Exception:
            self._refuse(event.invitation, 500)
            raise  # to the driver, which reports it
        return decision is not None

    def _decide(self, usage: IncomingInvite, decision: Decision) -> None:
        agent = self._agent
        now = agent.now()
        match decision:
            case Accept(description=description, headers=headers):
                agent.command(usage.accept, description, now, headers)
            case Redirect(status=status, headers=headers):
                agent.command(usage.refuse, status, now, None, headers)
            case _:
                agent.command(usage.refuse, decision.status, now, decision.reason, decision.headers)

    # -- the handler ---------------------------------------------------------------------------------------

    async def _handle(self, invitation: Invitation, handler: Handler) -> None:
        try:
            await handler(invitation)
        except CallEnded:
            pass  # the other side left while the handler was busy: that is no fault of its
        except Exception as error:
            status = getattr(error, "status", 500) if isinstance(error, SipError) else 500
            self._refuse(invitation.usage, status)
            if not isinstance(error, NegotiationError):  # what others offer is no fault of the handler
                message = f"the handler of {invitation!r} raised"
                # without "task": from 3.12 the loop would enter the context that this task runs in
                self._agent.loop.call_exception_handler({"message": message, "exception": error})
        finally:
            await invitation.close()

    def _handled(self, invitation: Invitation) -> None:
        """The handler is done, or was cancelled before it began. What it left unanswered is refused."""
        self._invitations.pop(invitation.usage, None)
        self._refuse(invitation.usage, 480)

    def _refuse(self, usage: IncomingInvite, status: int) -> None:
        """Refuse an invitation unless it is answered, or there is no way to answer it any more."""
        if not usage.answered and self._agent.running:
            self._agent.command(usage.refuse, status, self._agent.now())
