"""One connection to Redis, by redis-py: this is the only file that imports it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import attrs

from sipstack.errors import StoreError
from sipstack.store.redis_clock import ServerClock
from sipstack.store.redis_command import Lost, Refusal
from sipstack.store.redis_scripts import SCRIPTS

try:
    from redis import exceptions
    from redis.asyncio import connection as library
except ImportError as error:
    raise StoreError("a store in Redis needs redis-py: pip install 'sipstack[redis]'") from error

STRIDE = 100
"""Commands that are written, or replies read, before others have their turn: about 1 ms of work."""
REFUSED = "Redis refuses our name or password"
SENTINEL_PATIENCE = 0.5
"""Seconds that one sentinel has for its answer, before the next is asked."""


@attrs.frozen
class Place:
    """Where Redis is. ``url``: as redis-py reads it; with ``sentinels``, which are URLs as well, its host is
    the name by which they know the primary. No password is ever shown.
    """

    url: str = attrs.field(repr=False)
    sentinels: tuple[str, ...] = attrs.field(default=(), repr=False)

    async def primary(self) -> tuple[str, int] | None:
        """What the first sentinel that knows it says. None: there are no sentinels. Raises StoreError."""
        if not self.sentinels:
            return None
        name = _arguments(self.url).get("host", "")
        said = "none answers"
        for url in self.sentinels:
            sentinel = _library_connection(url)
            try:
                async with asyncio.timeout(SENTINEL_PATIENCE):
                    await sentinel.connect()
                    await sentinel.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
                    found = await sentinel.read_response()
            except (exceptions.RedisError, OSError, TimeoutError):
                continue
            finally:
                await sentinel.disconnect(nowait=True)
            if found:
                return str(found[0], "ascii"), int(found[1])
            said = f"they know no {name!r}"
        raise StoreError(f"the sentinels do not tell where Redis is: {said}")


class Connection:
    """A connection over which scripts can be run. Made by ``connect``."""

    def __init__(self, connection: Any, primary: tuple[str, int] | None) -> None:
        self._connection = connection
        self.primary = primary
        """Whom the sentinels named."""
        self.clock = ServerClock()
        self.evicts = False
        """Whether Redis drops records of ours when it is full."""

    @classmethod
    async def connect(cls, place: Place, patience: float) -> Connection:
        """Raises StoreError, in words."""
        primary: tuple[str, int] | None = None
        try:
            async with asyncio.timeout(patience):
                primary = await place.primary()
                connection = cls(_library_connection(place.url, primary), primary)
                try:
                    await connection._begin()
                except BaseException:
                    await connection.close()
                    raise
                return connection
        except TimeoutError:
            raise StoreError(f"Redis does not answer within {patience} s") from None
        except exceptions.AuthenticationError:
            raise StoreError(REFUSED) from None
        except (exceptions.RedisError, OSError, Lost) as error:
            raise StoreError(f"Redis cannot be reached: {error}") from None

    async def _begin(self) -> None:
        await self._connection.connect()
        loads = [(b"SCRIPT", b"LOAD", script.encode()) for script in SCRIPTS]
        role, memory, *loaded, time = await self.ask([(b"ROLE",), (b"INFO", b"memory"), *loads, (b"TIME",)])
        if not isinstance(role, Refusal) and role[0] != b"master":
            raise StoreError("this Redis is a replica, which takes no writes: name the primary, or sentinels")
        for reply in loaded:
            if isinstance(reply, Refusal):
                raise StoreError(f"Redis takes no script (version 7 or later is needed): {reply.text}")
        if isinstance(time, Refusal):
            raise StoreError(f"Redis does not tell its time: {time.text}")
        self.clock.told(int(time[0]) * 1000 + int(time[1]) // 1000, asyncio.get_running_loop().time())
        self.evicts = not isinstance(memory, Refusal) and _evicts(memory)

    async def ask(self, commands: Sequence[tuple[bytes | int, ...]]) -> list[Any]:
        """The replies, after one round trip; a Refusal for what is refused. Raises Lost."""
        connection, replies = self._connection, list[Any]()
        try:
            for first in range(0, len(commands), STRIDE):
                packed = connection.pack_commands(commands[first : first + STRIDE])
                await connection.send_packed_command(packed, check_health=False)
                await asyncio.sleep(0)
            for number in range(len(commands)):
                try:
                    replies.append(await connection.read_response(disconnect_on_error=False))
                except exceptions.ResponseError as error:
                    replies.append(_refusal(error))
                if number % STRIDE == STRIDE - 1:
                    await asyncio.sleep(0)
        except exceptions.AuthenticationError:
            raise StoreError(REFUSED) from None
        except (exceptions.ConnectionError, OSError) as error:
            raise Lost(str(error), replies) from None
        return replies

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)


def _arguments(url: str) -> Any:
    try:
        return library.parse_url(url)
    except ValueError as error:
        raise StoreError(f"no address of a Redis: {error}") from None


def _library_connection(url: str, primary: tuple[str, int] | None = None) -> Any:
    """One without the time-outs and repetitions of the library: all time is the store's to bound."""
    arguments = dict(_arguments(url))
    kind = arguments.pop("connection_class", library.Connection)
    if primary is not None:
        arguments["host"], arguments["port"] = primary
    arguments |= {"protocol": 2, "socket_timeout": None}
    return kind(**arguments)


_CODES: dict[type[Exception], str] = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.NoScriptError: "NOSCRIPT",
}


def _refusal(error: exceptions.ResponseError) -> Refusal:
    text = str(error)
    return Refusal(_CODES.get(type(error)) or text.partition(" ")[0], text)


def _evicts(memory: bytes) -> bool:
    facts = dict(line.split(b":", 1) for line in memory.split() if b":" in line)
    return facts.get(b"maxmemory", b"0") != b"0" and facts.get(b"maxmemory_policy") != b"noeviction"
