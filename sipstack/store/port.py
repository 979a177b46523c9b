"""The protocol of a store of sessions. It sees a key and octets, and knows nothing of SIP.

Every method that asks something is given ``answer``, which is called exactly once, on the event loop: in the
same turn by a store that need not wait, or later. What a store cannot do it answers with FAILED; it raises
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import attrs

from sipstack.outcome import Absent, Outcome

TOMBSTONE = 64.0
"""Seconds that a session which is over is remembered as such: twice 64*T1, so that whatever was on its way
when it ended finds it so.
"""


@attrs.frozen
class Taken:
    """A record that is ours from now on. ``epoch``: how often it was taken over, this time included.
    ``age``: seconds since it was written.
    """

    record: bytes
    epoch: int
    age: float


@attrs.frozen
class Listed:
    """One record of a list. ``owner``: the node that wrote it or took it over last; ``left``: seconds until
    it expires.
    """

    key: str
    owner: str
    left: float


class SessionStore(Protocol):
    """Keeps records by key, each with an owner and an epoch; what is over leaves a tombstone for a while.

    An epoch counts the owners of a record. Only taking over raises it, and a write under a lower one is a
    CONFLICT: so of two processes that think a session theirs, one stops.
    """

    async def open(self, node: str) -> None:
        """Begin. ``node`` names this process among those that share the store. Raises StoreError."""

    async def close(self) -> None:
        """Write what is under way, and end."""

    def put(
        self, key: str, record: bytes, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        """Keep ``record`` for ``lifetime`` seconds. DONE means that it outlives this process, as far as the
        store promises that at all. CONFLICT: there is a higher epoch, or a tombstone. TOO_LARGE: the store
        would not take this record if it were empty.
        """

    def forget(self, key: str, epoch: int, answer: Callable[[Outcome], None]) -> None:
        """The session is over: leave a tombstone, under which nothing is put or taken over any more; also
        where there is no such key. CONFLICT: there is a higher epoch.
        """

    def take_over(self, key: str, answer: Callable[[Taken | Absent], None], epoch: int | None = None) -> None:
        """Become the owner of the record under ``key``: its epoch grows by one, at once for everybody. With
        ``epoch`` only if that is its epoch now, else UNKNOWN: of several who saw it orphaned one gets it.
        """

    def read(self, key: str, answer: Callable[[Taken | Absent], None]) -> None:
        """The record under ``key`` as it is, whoever has it: nothing changes."""

    def owned(self, answer: Callable[[list[Listed] | Absent], None]) -> None:
        """What this node owns, such as after it was started again; at most 1,000,000."""

    def orphaned(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: str = "") -> None:
        """Up to ``most`` records whose owner has given no sign of life for some time (its lease is over), of
        those whose keys begin with ``kind``.
        """
