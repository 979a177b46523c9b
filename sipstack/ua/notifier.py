"""A state of ours that others may subscribe to, while an ``async with`` block runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from sipstack.core.events import AddressChanged
from sipstack.core.registry import Withdraw
from sipstack.errors import LocalProtocolError
from sipstack.log import TRANSACTION
from sipstack.message import NameAddr, Request
from sipstack.ua.result import Result
from sipstack.ua.runtime import Runtime
from sipstack.usage.notification import Asked, NotifierUsage, StateDue, WatcherGone, WatcherUsage
from sipstack.usage.packages.package import EventPackage

A_TURN = 50
"""Watchers that are told of an update in one turn of the loop: some 3 ms."""

Authorize = Callable[["Watcher"], bool | int | None]
"""Whether a watcher may know the state: True; None when it has to wait for ``watcher.approve``; False, or the
status to refuse it with.
"""


class Watcher:
    """Somebody who has subscribed to our state."""

    def __init__(self, runtime: Runtime, usage: WatcherUsage) -> None:
        self._runtime = runtime
        self._usage = usage
        self._told = 0

    def __repr__(self) -> str:
        return f"<Watcher {self.from_.uri_text} of {self.resource}>"

    @property
    def request(self) -> Request:
        """The latest SUBSCRIBE."""
        return self._usage.request

    @property
    def from_(self) -> NameAddr:
        """Who it says it is."""
        return self.request.from_

    @property
    def resource(self) -> str:
        """The URI whose state it has asked for."""
        return self.request.to.uri_text

    @property
    def state(self) -> str:
        """ "active", or "pending" while it waits for ``approve``."""
        return self._usage.state

    @property
    def expires_at(self) -> float:
        """When it ends unless it is refreshed, in the event loop's time."""
        return self._usage.expires_at

    def approve(self) -> None:
        """Tell it the state from now on."""
        self._runtime.command(self._usage.approve, self._runtime.now())

    def notify(self) -> None:
        """Tell it the state again."""
        self._runtime.command(self._usage.changed, self._runtime.now())

    def end(self, reason: str = "rejected", *, retry_after: int | None = None) -> None:
        """End its subscription (RFC 6665 §4.1.3): with "rejected" or "noresource" it should not come back,
        with "deactivated" at once, with "probation" or "giveup" after ``retry_after`` seconds.
        """
        self._runtime.command(self._usage.end, reason, self._runtime.now(), retry_after)


class Notifier:
    """Tells a state to whoever has subscribed to it."""

    def __init__(
        self, runtime: Runtime, usage: NotifierUsage, state: Any, authorize: Authorize | None
    ) -> None:
        self._package = usage.package
        self._runtime = runtime
        self._usage = usage
        self._state = state
        self._authorize = authorize
        self._watchers: dict[WatcherUsage, Watcher] = {}
        self._due: dict[WatcherUsage, Watcher] = {}  # who is to be told of an update yet
        self._telling = False
        self._release: Withdraw | None = None
        self._closing = False
        self._closed: Result[None] = Result()
        runtime.attach(self, usage)

    def __repr__(self) -> str:
        return f"<Notifier of {self._package.name} watchers={len(self._watchers)}>"

    @property
    def package(self) -> EventPackage:
        """What it tells states of."""
        return self._package

    @property
    def watchers(self) -> list[Watcher]:
        """Who is subscribed, the oldest first."""
        return list(self._watchers.values())

    @property
    def state(self) -> Any:
        """The state, or the function that gives it."""
        return self._state

    def update(self, state: Any) -> None:
        """The state is another one: tell everybody. Whoever has not answered the last NOTIFY yet is told when
        it has; states between are left out.
        """
        self._state = state
        self.notify()

    def notify(self) -> None:
        """Tell everybody the state again: where it is a function, that is called for each."""
        self._due |= self._watchers
        if not self._telling:
            self._tell_some()

    def _tell_some(self) -> None:
        """As many as a turn of the loop has time for."""
        for usage in list(islice(self._due, A_TURN)):
            self._due.pop(usage).notify()
        self._telling = bool(self._due)
        if self._telling:
            self._runtime.loop.call_soon(self._tell_some)

    # -- the end: see runtime.Live -------------------------------------------------------------------------

    def _begin(self, register: Callable[[str, NotifierUsage], Withdraw]) -> None:
        self._release = register(self._package.name, self._usage)

    async def _close(self) -> None:
        if not self._closed.done:
            self._runtime.grace.begin(self._closed)
        self._close_nowait()
        await self._closed.settled()

    def _close_nowait(self) -> bool:
        """Take no more, and end what is there: the watchers may come back later."""
        if not self._closing:
            self._closing = True
            self._due.clear()
            self._give_up()
            for watcher in self.watchers:
                watcher.end("probation")
            self._finish_if_empty()
        return not self._closed.done and not self._closed.late

    def _abort(self, reason: str) -> None:
        self._watchers.clear()
        self._due.clear()
        self._closing = True
        self._give_up()
        self._finish_if_empty()

    def _give_up(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()

    def _finish_if_empty(self) -> None:
        if self._closing and not self._watchers and not self._closed.done:
            self._runtime.detach(self, self._usage)
            self._closed.set(None)

    def _moved(self, change: AddressChanged) -> None:
        """Watchers know an address that is not ours any more: a NOTIFY tells the new one."""
        for usage, watcher in self._watchers.items():
            if usage.host.flow in change.moves.values():
                watcher.notify()

    # -- events --------------------------------------------------------------------------------------------

    def _on_event(self, event: Asked | StateDue | WatcherGone) -> None:
        usage = event.watcher
        match event:
            case Asked():
                self._asked(usage)
            case StateDue():
                self._tell(usage)
            case WatcherGone(error=error):
                watcher = self._watchers.pop(usage, None)
                self._due.pop(usage, None)
                if watcher is not None:
                    TRANSACTION.info("%r is gone: %s", watcher, error or "it has ended")
                self._finish_if_empty()

    def _asked(self, usage: WatcherUsage) -> None:
        runtime, now = self._runtime, self._runtime.now()
        watcher = Watcher(runtime, usage)
        try:
            verdict = True if self._authorize is None else self._authorize(watcher)
        except Exception:
            runtime.command(usage.refuse, 500, now)
            raise  # to the driver, which reports it
        TRANSACTION.info("%r subscribes to %s: %s", watcher, self._package.name, verdict)
        if verdict is None or verdict is True:
            self._watchers[usage] = watcher
            usage.accept(now, active=verdict is True)
        else:
            runtime.command(usage.refuse, verdict or 403, now)

    def _tell(self, usage: WatcherUsage) -> None:
        watcher = self._watchers.get(usage)
        body = None
        try:
            if watcher is not None and usage.state == "active":
                body = self._body_for(watcher)
        finally:  # what the application fails to tell ends nothing
            self._runtime.command(usage.tell, body, self._runtime.now())

    def _body_for(self, watcher: Watcher) -> bytes | None:
        package = self._package
        state = self._state(watcher) if callable(self._state) else self._state
        if state is None:
            return None
        if package.numbered is not None:
            state = package.numbered(state, watcher._told)
        body = package.write(state)
        if not isinstance(body, bytes):
            raise LocalProtocolError(f"a state of {package.name} is octets: give the package a write=")
        watcher._told += 1
        return body
