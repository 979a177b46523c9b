"""A request that we received, and that a handler answers in a task of its own."""

from __future__ import annotations

import asyncio
from typing import Any

from sipstack.core.outputs import Flow
from sipstack.log import legible
from sipstack.message import NameAddr, Request, SessionId
from sipstack.ua.client import UserAgentClient
from sipstack.ua.identity import Identified
from sipstack.ua.runtime import Runtime
from sipstack.ua.session_ids import session_id_of
from sipstack.ua.trusted import Trusted
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.received import ReceivedRequest


class Incoming(Identified):
    """The base of Invitation and IncomingRequest."""

    _usage: IncomingInvite | ReceivedRequest

    def __init__(self, agent: UserAgentClient, runtime: Runtime, request: Request) -> None:
        self._runtime = runtime
        self._task: asyncio.Task[None] | None = None
        self._handler: object = None
        self._user: str | None = None
        self._told = False  # that it failed, and why, is in the log already
        self._agent = agent
        self._request = request

    def __repr__(self) -> str:
        return legible(f"<{type(self).__name__} {self.call_id} from {self.from_.uri_text}>")

    @property
    def agent(self) -> UserAgentClient:
        """The user agent that received it."""
        return self._agent

    @property
    def request(self) -> Request:
        """The request itself, with its header fields and its body."""
        return self._request

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.request.call_id

    @property
    def session_id(self) -> SessionId | None:
        """The UUIDs of both ends, the sender's as ``remote`` (RFC 7989); None with ``session_ids=False``.

        A back-to-back user agent passes it on, in ``headers=`` of the call that it makes:
        ``{"Session-ID": SessionId(incoming.session_id.remote)}``.
        """
        return session_id_of(self.request.session_id)

    @property
    def from_(self) -> NameAddr:
        """The address in From, as the sender says."""
        return self.request.from_

    @property
    def to(self) -> NameAddr:
        """The address in To, to which it was sent at first."""
        return self.request.to

    @property
    def user(self) -> str | None:
        """The name of the user who has proved himself, where ``serve`` has ``authenticate``. Believe this,
        and not From, which anybody can write. None where nobody is asked: without it, and in a dialog.
        """
        return self._user

    @property
    def answered(self) -> bool:
        """Whether a final response is sent."""
        raise NotImplementedError

    @property
    def _flow(self) -> Flow:
        return self._usage.transaction.flow

    @property
    def _trusted(self) -> Trusted:
        return self._runtime.trusted

    def _refuse_unanswered(self, status: int) -> None:
        """Refuse, unless it is answered, or there is no way to answer it any more."""
        if not self.answered and self._runtime.running:
            self._refuse(status)

    def _refuse(self, status: int) -> None:
        raise NotImplementedError

    # -- what the runtime asks of it -----------------------------------------------------------------------

    def _on_event(self, event: Any) -> None:
        """An event of the usage."""

    async def _close(self) -> None:
        """The handler is done."""

    def _close_nowait(self) -> bool:
        """Cancel the handler; what it leaves unanswered is refused."""
        if self._task is not None:
            self._task.cancel()
        return True

    def _abort(self, reason: str) -> None:
        """No task waits for it but its handler, which is cancelled already."""
