"""The running user agent, as its calls, invitations, registrations and requests see it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

from sipstack.core.core import Core
from sipstack.core.events import (
    AddressChanged,
    Event,
    InvitationReceived,
    RequestReceived,
    SessionResumed,
)
from sipstack.core.outputs import Flow
from sipstack.errors import LocalProtocolError
from sipstack.media.port import MediaPort, MovableMedia, wants_signalling
from sipstack.media.port_pool import KEPT, PortPool
from sipstack.media.session import AudioSession
from sipstack.message.headers import HeaderFields
from sipstack.net.driver import Driver, Tracer
from sipstack.net.network import Listen, Network
from sipstack.ua.call_records import CallRecorder
from sipstack.ua.claims import Claims
from sipstack.ua.kept_state import KeptState
from sipstack.ua.limits import calls_by_descriptors
from sipstack.ua.result import Grace, Waiters
from sipstack.ua.trusted import NOBODY
from sipstack.usage.invite.incoming import IncomingInvite

P = ParamSpec("P")
R = TypeVar("R")
MediaFactory = Callable[[str], MediaPort]
"""Makes the media of one call; takes our IP address towards the peer, as bound."""

Arrival = InvitationReceived | RequestReceived

MOVES_APART = 0.02
"""Seconds between the re-INVITEs of two calls."""

CLOSED = "the user agent was closed"


class Usage(Protocol):
    """The core's side of something alive; its events carry ``user`` as their receiver."""

    user: Any


class Live(Protocol):
    """Something in the runtime's table: a call, an invitation, a registration, a request.

    Names with an underscore are for the modules of this package, not for applications.

    Four verbs tell how such a thing ends:

    - ``hang_up`` is the user's word for a call: BYE, and its answer is waited for.
    - ``cancel`` is the user's word for a call not yet answered: CANCEL, and the final response is waited for.
    - ``close`` does what is due at the end of a block: BYE, CANCEL, un-registering, or nothing.
    - ``abort`` sends nothing: the user agent is closed, and the tasks that wait for a result get an error.

    The first three wait as long as the grace lasts. Their twins ``..._nowait`` send and do not wait.
    """

    def _on_event(self, event: Any) -> None:
        """An event of the usage."""

    def _close_nowait(self) -> bool:
        """Returns whether to wait until it is over; not when that was waited for already, in vain."""

    def _abort(self, reason: str) -> None: ...


@runtime_checkable
class Movable(Protocol):
    """Something alive that a peer reaches at our address."""

    def _moved(self, change: AddressChanged) -> None:
        """Flows have become others: if it is reached over one of them, tell the peer."""


class Runtime:
    """The event loop, the driver, the tasks and the table of what is alive, from entering the user agent
    until it is left. ``grace``: how many seconds leaving waits for the other sides' answers.
    """

    def __init__(
        self,
        core: Core,
        network: Network,
        trace: Tracer | None,
        media: MediaFactory | None,
        grace: float,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.core = core
        self.driver = Driver(core, network, self._deliver, trace)
        self.identifiers = core.identifiers
        self._instance = ""
        self.grace = Grace(grace)
        self.running = True
        self.now = self.loop.time
        self.command = self.driver.command
        self.services: dict[type, Any] = {}
        """What answers beside calls, by its class."""
        self.trusted = NOBODY
        self.resumed: Callable[[SessionResumed], None] = _leave
        """Makes something of a session that has been another process's."""
        self.recorder: CallRecorder | None = None
        """Where there are call records."""
        self.aside: Claims | None = None
        """When calls that were set aside come back, where calls are kept in a store."""
        self.kept: KeptState | None = None
        """What survives a restart, beside calls."""
        self._media = media
        # Of the descriptors there are, half may be of ports that wait.
        self._ports = PortPool(min(KEPT, (calls_by_descriptors() or 2 * KEPT) // 2))
        self._moving_until = -math.inf
        self._live: dict[Live, None] = {}  # in the order in which they began
        self._tasks: dict[asyncio.Task[None], bool] = {}  # and whether each must finish
        self._leaving: dict[Live, None] = {}  # and is waited for
        self._idle = Waiters()

    async def start(self, listens: Sequence[Listen], arrived: Callable[[Arrival], None]) -> None:
        """Listen on all addresses, and give new calls and requests to ``arrived``. Raises TransportError,
        with no address left open.
        """
        self._arrived = arrived
        await self.driver.start(listens)

    def _deliver(self, event: Event) -> None:
        """An event goes to the user of its usage; a call or request that has just arrived has none yet."""
        receiver = event.receiver
        if receiver is not None:
            receiver._on_event(event)
            return
        if self.recorder is not None:
            self.recorder.unattended(event)
        if isinstance(event, InvitationReceived | RequestReceived):
            self._arrived(event)
        elif isinstance(event, SessionResumed):
            try:
                self.resumed(event)
            finally:
                takeovers = self.core.takeovers
                if takeovers is not None:
                    self.command(takeovers.proceed, event.record.dialog.key, self.now())
        elif isinstance(event, AddressChanged):
            for thing in self.live:
                if isinstance(thing, Movable):
                    thing._moved(event)

    def refuse(
        self, usage: IncomingInvite, status: int, reason: str | None = None, headers: HeaderFields = ()
    ) -> None:
        """Refuse an INVITE. Raises LocalProtocolError once it is answered."""
        self.command(usage.refuse, status, self.now(), reason, headers)
        if self.recorder is not None:
            self.recorder.refused(usage, status, reason)

    async def instance(self) -> str:
        """The instance-id of accounts that name none: a new one whenever the user agent is entered, unless
        it is kept.
        """
        if not self._instance:
            kept = self.kept
            made = self.identifiers.instance() if kept is None else await kept.instance(self.identifiers)
            self._instance = self._instance or made
        return self._instance

    # -- the table -----------------------------------------------------------------------------------------

    @property
    def live(self) -> list[Live]:
        """Everything that is alive, oldest first."""
        return list(self._live)

    def attach(self, thing: Live, usage: Usage) -> None:
        """``thing`` begins, and hears the events of ``usage`` from now on."""
        usage.user = thing
        self._live[thing] = None

    def detach(self, thing: Live, usage: Usage) -> None:
        """``thing`` is over. It refers to its usage: so the usage must not refer to it any longer."""
        usage.user = None
        self._live.pop(thing, None)
        if self._leaving:
            self._leaving.pop(thing, None)
            self._idle.release()

    def spawn(self, work: Coroutine[Any, Any, None], *, must_finish: bool = False) -> None:
        """Run ``work`` in a task. Leaving waits for it, and cancels it after the grace, unless it must
        finish.
        """
        task = self.loop.create_task(work)
        self._tasks[task] = must_finish
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        self.report(task)
        if not self._tasks:
            self._idle.release()

    def report(self, task: asyncio.Task[None]) -> None:
        """What ``task``, which is done, raised goes to the loop's exception handler now: the loop itself
        would tell it when the task is collected, which may be after everybody has left.
        """
        if not task.cancelled() and (error := task.exception()) is not None:
            message = f"{task.get_coro()!r} raised"
            self.loop.call_exception_handler({"message": message, "exception": error})

    def new_media(self, factory: MediaFactory | None, flow: Flow) -> MediaPort:
        """The media of one call, at our end of the flow that signals it. Raises MediaError."""
        factory = factory or self._media
        host = flow.local[0]
        if factory is None:
            bind, random = self._ports.bind, self.identifiers
            session = AudioSession(host, advertised=told_host(flow), random=random, bind=bind)
            session.signalled(flow.remote[0], flow.secure)
            return session
        media = factory(host)
        if wants_signalling(media):
            media.signalled(flow.remote[0], flow.secure)
        told = told_host(flow)
        if told is not None and told != host and isinstance(media, MovableMedia):
            media.moved(host, told)
        return media

    def place_to_move(self) -> float:
        """The seconds that the next call has to wait for its re-INVITE after our address has changed: not all
        of them go out at once.
        """
        now = self.now()
        self._moving_until = max(self._moving_until + MOVES_APART, now)
        return self._moving_until - now

    # -- the end -------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close everything at once, wait for the answers while the grace lasts, abort the rest."""
        try:
            closing = [thing for thing in self.live if thing._close_nowait()]
            self._leaving = {thing: None for thing in closing if thing in self._live}  # not over at once
            await self._until_idle()
        finally:
            self._abort()
            try:
                await self._until_idle()
            finally:
                self.running = False
                self.command = _refuse_command
                self.grace.close()
                self._ports.close()
                await self.driver.close()

    def _abort(self) -> None:
        for task, must_finish in self._tasks.items():
            if not must_finish:
                task.cancel()
        for thing in self.live:
            thing._abort(CLOSED)

    async def _until_idle(self) -> None:
        """Wait until everything is over and no task runs, as long as the grace lasts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.grace.seconds):
                while self._leaving or self._tasks:
                    await self._idle.wait()


def told_host(flow: Flow) -> str | None:
    """The host that media names to the peer of ``flow``; None for the one that is bound."""
    name, port = flow.advertised
    # a name that needs no port is one of .invalid, and leads nowhere (RFC 7118 §5)
    return name if port else None


def _leave(event: SessionResumed) -> None:
    """It goes on without the user agent."""


def _refuse_command(function: Callable[P, R], *arguments: P.args, **keywords: P.kwargs) -> R:
    """Takes the place of ``Runtime.command`` once the user agent is left."""
    raise LocalProtocolError(CLOSED)
