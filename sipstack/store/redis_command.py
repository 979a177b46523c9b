"""A command to Redis, what may come in the place of its reply, and the connection as it is needed here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from sipstack.store.redis_clock import ServerClock


class Failed:
    """In the place of a reply: nobody knows."""


FAILED = Failed()


@attrs.frozen
class Refusal:
    """In the place of a reply: Redis refused this command. ``code``: such as OOM, READONLY, NOSCRIPT."""

    code: str
    text: str


class Lost(Exception):
    """The connection is gone. ``replies``: those that had come before."""

    def __init__(self, reason: str, replies: list[Any]) -> None:
        super().__init__(reason)
        self.replies = replies


class Line(Protocol):
    """A connection, as it is needed here."""

    clock: ServerClock
    primary: tuple[str, int] | None

    async def ask(self, commands: Sequence[tuple[bytes | int, ...]]) -> list[Any]: ...

    async def close(self) -> None: ...


@attrs.define(eq=False)
class Command:
    """``answer`` is told the reply, a Refusal or FAILED. ``fenced``: its script is told until when it may
    act; ``kept``: as many replicas as were asked for have to have it.
    """

    parts: tuple[bytes | int, ...]
    answer: Callable[[Any], None] | None
    octets: int = 0
    fenced: bool = False
    kept: bool = False
    until: float = 0.0

    def written(self, clock: ServerClock) -> tuple[bytes | int, ...]:
        """As it goes out to a server with that clock."""
        return (*self.parts, clock.at(self.until)) if self.fenced else self.parts

    def tell(self, reply: Any) -> None:
        """Once. A fault of who asked is not ours, and the others get their answers."""
        answer, self.answer = self.answer, None
        if answer is None:
            return
        try:
            answer(reply)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "what was told by the store of sessions", "exception": error}
            )
