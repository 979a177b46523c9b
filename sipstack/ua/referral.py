"""Being referred: somebody asks us to call somebody else (RFC 3515, RFC 3892)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from sipstack.core.core import Core
from sipstack.core.registry import Method, Package
from sipstack.errors import (
    CallEnded,
    LocalProtocolError,
    NegotiationError,
    RequestFailed,
    SipError,
    TransactionTimeout,
)
from sipstack.log import CALL, legible
from sipstack.message import NameAddr, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.message.parameterised import DialogReference
from sipstack.ua.account import Account
from sipstack.ua.arguments import IN_INVITES, HeadersArgument, header_fields, target_uri
from sipstack.ua.call import Call
from sipstack.ua.outgoing import OutgoingInvite
from sipstack.ua.runtime import MediaFactory, Runtime
from sipstack.usage.invite.extension import Extension
from sipstack.usage.refer.events import ReferReceived
from sipstack.usage.refer.incoming import IncomingRefer
from sipstack.usage.refer.outgoing import PACKAGE
from sipstack.usage.refer.server import ReferServer, referred_call

MOST = 64
"""Referrals at a time; more are refused with 503."""
NOREFERSUB = "norefersub"

Invite = Callable[
    [str, HeaderFields, MediaFactory | None, Account | None, "Referral"],
    AbstractAsyncContextManager[OutgoingInvite],
]
"""Places a call, as the user agent does."""


class Referral:
    """Somebody asks us to call ``target``: ``follow`` or ``refuse``. It is refused with 603 when the handler
    does neither, and with 500, or the status of the SipError, when that raises.

    The call in which it was asked goes on until its other side says BYE, or you do.
    """

    def __init__(self, runtime: Runtime, usage: IncomingRefer, invite: Invite) -> None:
        self._runtime = runtime
        self._usage = usage
        self._invite = invite
        self._decided = False
        self._asked = referred_call(usage.request, usage.target)
        session = usage.host.invite
        user = getattr(session, "user", None)
        self._call = user if isinstance(user, Call) else None

    def __repr__(self) -> str:
        return legible(f"<Referral to {self.target} from {self.from_.uri_text}>")

    @property
    def request(self) -> Request:
        """The REFER itself."""
        return self._usage.request

    @property
    def call(self) -> Call | None:
        """The call that it came in; None for one outside of any (click to dial)."""
        return self._call

    @property
    def from_(self) -> NameAddr:
        """Who asks, as the sender says."""
        return self.request.from_

    @property
    def target(self) -> str:
        """The URI to call."""
        return self._asked.target

    @property
    def referred_by(self) -> NameAddr | None:
        """Who is behind it, as the sender says (RFC 3892); None when it does not, or it cannot be read."""
        address: NameAddr | None = self.request.headers.readable("Referred-By")
        return address

    @property
    def replaces(self) -> DialogReference | None:
        """The call at the target that ours takes the place of (attended transfer); None for a call of its
        own.
        """
        for name, value in self._asked.headers:
            if name == "Replaces":
                return DialogReference.parse(str(value))
        return None

    async def refuse(self, status: int = 603) -> None:
        """Refuse it, 300 to 699. Raises LocalProtocolError once it is followed or refused."""
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a transfer")
        self._decide()
        self._refuse(status)

    @contextlib.asynccontextmanager
    async def follow(
        self,
        *,
        headers: HeadersArgument = (),
        media: MediaFactory | None = None,
        account: Account | None = None,
    ) -> AsyncIterator[Call]:
        """Call the target and own that call: entering waits for the answer, and tells the other side how it
        goes; leaving hangs up. ``account``: that which the REFER was for, if not given.

        Raises like ``UserAgent.call``, and LocalProtocolError once it is followed or refused.
        """
        fields = (*self._asked.headers, *header_fields(headers, IN_INVITES))
        target = target_uri(self.target)
        self._decide()
        self._runtime.command(self._usage.accept, self._runtime.now())
        CALL.info("%s: follows to %s", self.request.call_id, target)
        try:
            async with self._invite(target, fields, media, account, self) as outgoing:
                async for response in outgoing.provisionals():
                    self._tell(response)
                call = await outgoing.answered()
                self._tell(Response(200))
                yield call
        except BaseException as error:  # once it is told, the rest is of the new call
            self._tell(_response_to(error))
            raise

    def _decide(self) -> None:
        if self._decided:
            raise LocalProtocolError("the referral is followed or refused already")
        self._decided = True

    def _refuse(self, status: int) -> None:
        CALL.info("%s: is not referred to %s: %s", self.request.call_id, self.target, status)
        self._runtime.command(self._usage.refuse, status, self._runtime.now())

    def _refuse_undecided(self, status: int) -> None:
        if not self._decided and self._runtime.running:
            self._decided = True
            self._refuse(status)

    def _tell(self, response: Response) -> None:
        if self._runtime.running:
            self._runtime.command(self._usage.tell, response, self._runtime.now())


def _response_to(error: BaseException) -> Response:
    """What a failure of our call is told as."""
    if isinstance(error, RequestFailed):
        return Response(error.status, error.reason)
    if isinstance(error, TransactionTimeout):
        return Response(408)
    if isinstance(error, NegotiationError):
        return Response(488)
    if isinstance(error, SipError) and not isinstance(error, CallEnded):
        return Response(503)
    return Response(487)


ReferralHandler = Callable[[Referral], Awaitable[None]]


class Referrals:
    """Takes REFERs while somebody handles them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._handler: ReferralHandler | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, core: Core) -> None:
        """Nothing is announced before there is a handler."""
        self._core = core

    @contextlib.asynccontextmanager
    async def serving(self, handler: ReferralHandler, invite: Invite) -> AsyncIterator[None]:
        """See ``UserAgent.serving_referrals``."""
        if self._handler is not None:
            raise LocalProtocolError("the user agent has a handler of referrals already")
        self._handler, self._invite = handler, invite
        registry = self._core.registry
        withdrawals = [
            registry.add_method(Method("REFER", ReferServer(self._core, self).serve)),
            registry.add_method(Method("SUBSCRIBE", by_event=True)),  # to refresh or end its subscription
            registry.add_package(Package(PACKAGE, self)),
            registry.add_extension(Extension(NOREFERSUB, lambda call: None)),
        ]
        try:
            yield
        finally:
            self._handler = None
            for withdraw in withdrawals:
                withdraw()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2 * self._runtime.grace.seconds)

    def _on_event(self, event: ReferReceived) -> None:
        runtime, usage, handler = self._runtime, event.refer, self._handler
        if handler is None or len(self._tasks) >= MOST:
            runtime.command(usage.refuse, 480 if handler is None else 503, runtime.now())
            return
        try:
            referral = Referral(runtime, usage, self._invite)
        except SipError as error:  # in what the target asks for
            runtime.command(usage.refuse, getattr(error, "status", 400), runtime.now())
            return
        CALL.info("%s: %s refers us to %s", usage.request.call_id, referral.from_.uri_text, referral.target)
        task = runtime.loop.create_task(self._handle(referral, handler))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._handled(referral, task))

    async def _handle(self, referral: Referral, handler: ReferralHandler) -> None:
        try:
            await handler(referral)
        except SipError as error:  # told to the other side, or of a call that was there
            CALL.info("%s: the referral came to nothing: %s", referral.request.call_id, error)
            referral._refuse_undecided(getattr(error, "status", 500))
        except Exception as error:
            message = f"the handler of {referral!r} raised"
            self._runtime.loop.call_exception_handler({"message": message, "exception": error})
            referral._refuse_undecided(500)

    def _handled(self, referral: Referral, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._runtime.report(task)
        referral._refuse_undecided(603)
