"""What is asked of an SQLite store, on its way from the event loop to the thread that has the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from sipstack.outcome import Absent, Outcome
from sipstack.store.port import Listed, Taken

T = TypeVar("T")

OVERHEAD = 400
"""Octets that one takes beside its record and key, about."""


class Ask(Generic[T]):
    """``answer`` is called once, on the event loop; with ``failed`` where it cannot be done."""

    __slots__ = ("answer", "is_answered")

    failed: T | Absent | Outcome = Absent.FAILED

    def __init__(self, answer: Callable[[Any], None]) -> None:
        self.answer = answer
        self.is_answered = False

    @property
    def octets(self) -> int:
        return OVERHEAD

    @property
    def needs_room(self) -> bool:
        """Whether the file may have to grow for it."""
        return False


class Write(Ask[Outcome]):
    """Put a record, or a tombstone: None."""

    __slots__ = ("epoch", "key", "lifetime", "record")

    failed = Outcome.FAILED

    def __init__(
        self, key: bytes, record: bytes | None, epoch: int, lifetime: float, answer: Callable[[Outcome], None]
    ) -> None:
        super().__init__(answer)
        self.key = key
        self.record = record
        self.epoch = epoch
        self.lifetime = lifetime

    @property
    def octets(self) -> int:
        return OVERHEAD + len(self.key) + len(self.record or b"")

    @property
    def needs_room(self) -> bool:
        return self.record is not None


class TakeOver(Ask[Taken]):
    """Become the owner; with ``epoch`` only of what is still at that."""

    __slots__ = ("epoch", "key")

    def __init__(self, key: bytes, answer: Callable[[Taken | Absent], None], epoch: int | None) -> None:
        super().__init__(answer)
        self.key = key
        self.epoch = epoch


class Read(Ask[Taken]):
    """Look at a record."""

    __slots__ = ("key",)

    def __init__(self, key: bytes, answer: Callable[[Taken | Absent], None]) -> None:
        super().__init__(answer)
        self.key = key


class Owned(Ask[list[Listed]]):
    """List what this node owns."""

    __slots__ = ()


class Orphaned(Ask[list[Listed]]):
    """List up to ``most`` of what dead nodes own, of those whose keys begin with ``kind``."""

    __slots__ = ("kind", "most")

    def __init__(self, most: int, answer: Callable[[list[Listed] | Absent], None], kind: bytes) -> None:
        super().__init__(answer)
        self.most = most
        self.kind = kind


Answer = tuple[Ask[Any], object]
"""One that was asked, and what is found."""


def key_octets(key: str) -> bytes:
    """The key as it stands in the file. Any text has one: also one that came in as no UTF-8."""
    return key.encode("utf-8", "surrogatepass")


def key_text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")
