"""What waits for Redis: all that is asked in one turn of the loop goes out in one round trip.

One task for a store. Each command has 1.5 s from when it was asked; an outage that is shorter delays, and
one that is longer is told at once to whoever asks while it lasts. When a connection ends, what had no reply
yet goes out again over the next one: every script may be run twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sipstack.errors import StoreError
from sipstack.log import TRANSPORT
from sipstack.store.redis_command import FAILED, Command, Line, Refusal
from sipstack.store.redis_scripts import LATE

PATIENCE = 1.5
"""Seconds that a command has."""
MOST_WAITING = 10_000
MOST_OCTETS = 16 * 2**20
BATCH = 1000
"""Commands that go out together at the most."""
BATCH_OCTETS = 2**20
REPLICA_PATIENCE = 0.5
"""Seconds in which replicas have to confirm a batch."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between attempts to reach Redis again, after the first one, which is made at once."""
STEADY = 1.0
"""Seconds after which a connection counts as a success."""


NOT_HERE = frozenset({"READONLY", "NOSCRIPT", "NOPERM"})
"""Refusals after which another connection is made: maybe to another server, and with the scripts."""


class Pipeline:
    """``connect`` makes the next connection, and raises StoreError; ``connected`` is told of each. A batch of
    writes counts when ``replicas`` of Redis have it.
    """

    def __init__(
        self, connect: Callable[[], Any], connected: Callable[[], None], replicas: int, where: str
    ) -> None:
        self._connect = connect
        self._connected = connected
        self._replicas = replicas
        self._where = where
        self.since = 0.0
        """When the connection that there is was made, by the clock of the loop."""
        self.line: Line | None = None
        self._waiting: deque[Command] = deque()
        self._octets = 0
        self._sent: deque[Command] = deque()
        self._down_since: float | None = None
        self._pause = 0.0
        self._something = asyncio.Event()
        self._end = asyncio.Event()
        self._closed = False
        self._expiry: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """What waits."""
        return len(self._waiting)

    async def open(self, line: Line) -> None:
        """Begin over a connection that is there."""
        self._up(line)
        self._task = asyncio.create_task(self._run(), name="sessions in Redis")

    async def close(self) -> None:
        """What waits is still done, within the time that it has."""
        if self._task is None or self._closed:
            return
        self._end.set()
        self._something.set()
        await asyncio.wait([self._task], timeout=PATIENCE + REPLICA_PATIENCE)
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        self._fail_until(float("inf"))
        if self.line is not None:
            await self.line.close()
            self.line = None

    def submit(self, command: Command) -> None:
        """Do it, in the order in which this was called; FAILED at once where there is no sense in waiting."""
        now = _now()
        down = self._down_since is not None and now >= self._down_since + PATIENCE
        full = len(self._waiting) >= MOST_WAITING or self._octets + command.octets > MOST_OCTETS
        if self._closed or down or full:
            command.tell(FAILED)
            return
        command.until = now + PATIENCE
        self._waiting.append(command)
        self._octets += command.octets
        self._something.set()
        self._watch_the_time()

    async def ask(self, *parts: bytes | int) -> Any:
        """The reply to a command that changes nothing, or FAILED."""
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.submit(Command(parts, lambda found: None if reply.done() else reply.set_result(found)))
        return await reply

    # -- the one task --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not (self._end.is_set() and (self.line is None or not self._waiting)):
            if self.line is None:
                await self._reconnect()
            elif not self._waiting:
                self._something.clear()
                await self._something.wait()
            else:
                await self._exchange(self.line, self._batch())

    async def _reconnect(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause):
                await self._end.wait()
                return
        self._pause = min(max(FIRST_PAUSE, 2 * self._pause), LONGEST_PAUSE)
        try:
            line = await self._connect()
        except StoreError as error:
            TRANSPORT.debug("%s: %s", self._where, error)
        else:
            TRANSPORT.info("%s: it is back, sessions are kept again", self._where)
            self._up(line)

    def _up(self, line: Line) -> None:
        self.line = line
        self.since = _now()
        self._down_since = None
        self._connected()

    def _batch(self) -> list[Command]:
        batch: list[Command] = []
        octets = 0
        while self._waiting and len(batch) < BATCH and octets < BATCH_OCTETS:
            command = self._waiting.popleft()
            octets += command.octets
            batch.append(command)
        self._octets -= octets
        self._watch_the_time()
        return batch

    async def _exchange(self, line: Line, batch: list[Command]) -> None:
        began = _now()
        self._sent = deque(batch)
        commands = [command.written(line.clock) for command in batch]
        waits = self._replicas > 0 and any(command.kept for command in batch)
        if waits:
            commands.append((b"WAIT", self._replicas, int(REPLICA_PATIENCE * 1000)))
        replies: list[Any] = []
        try:
            async with asyncio.timeout_at(began + PATIENCE):
                replies = await line.ask(commands)
        except TimeoutError:
            replies = [FAILED] * len(batch)
            await self.drop("it does not answer", began)
        except Exception as error:
            if not waits:  # else nobody knows what the replicas have
                replies = getattr(error, "replies", [])
            self._sent.clear()
            self._put_back(batch[len(replies) :])
            await self.drop(str(error), began)
        except asyncio.CancelledError:
            self._put_back(batch)
            raise
        else:
            if waits and not _confirmed(replies.pop(), self._replicas):
                replies = [
                    FAILED if command.kept else reply for command, reply in zip(batch, replies, strict=True)
                ]
        self._sent.clear()
        for command, reply in zip(batch, replies, strict=False):
            if command.fenced and isinstance(reply, list) and reply[0] == LATE:
                line.clock.told(reply[1], _now())  # it went ahead: the next ones are in time
                reply = FAILED
            command.tell(reply)
        for reply in replies:
            if isinstance(reply, Refusal) and reply.code in NOT_HERE:
                await self.drop(reply.text, began)

    def _put_back(self, batch: list[Command]) -> None:
        batch = [command for command in batch if command.answer is not None]
        self._waiting.extendleft(reversed(batch))
        self._octets += sum(command.octets for command in batch)

    async def drop(self, reason: str, since: float | None = None) -> None:
        """This connection is no good any more."""
        line, self.line = self.line, None
        self._something.set()
        if line is None:
            return
        if _now() >= self.since + STEADY:
            self._pause = 0.0
        self._down_since = _now() if since is None else since
        TRANSPORT.warning("%s: %s. No session is kept until it is back", self._where, reason.rstrip("."))
        self._watch_the_time()
        await line.close()

    # -- time ----------------------------------------------------------------------------------------------

    def _watch_the_time(self) -> None:
        first = self._sent or self._waiting
        if self._expiry is None and first:
            self._expiry = asyncio.get_running_loop().call_at(first[0].until, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self._fail_until(_now())
        self._watch_the_time()

    def _fail_until(self, time: float) -> None:
        """Also what is on its way: its script does nothing any more, or nobody heard what it did."""
        while self._sent and self._sent[0].until <= time:
            self._sent.popleft().tell(FAILED)
        while self._waiting and self._waiting[0].until <= time:
            command = self._waiting.popleft()
            self._octets -= command.octets
            command.tell(FAILED)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _confirmed(reply: Any, replicas: int) -> bool:
    return isinstance(reply, int) and reply >= replicas
