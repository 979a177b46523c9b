"""Between the core, which says what is to be kept, and the store, which sees a key and octets."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Protocol

from sipstack.core.outputs import DialogKey, Forget, Load, Loaded, Store
from sipstack.errors import ParseError
from sipstack.log import CALL
from sipstack.net.driver import Driver
from sipstack.outcome import Absent, Outcome
from sipstack.store.port import SessionStore, Taken
from sipstack.usage.invite.record import SessionRecord

PREFIX = "session"
"""Begins the keys of sessions: a store has other things as well."""


class Form(Protocol):
    """How a record is written."""

    def encode(self, values: dict[str, Any]) -> bytes: ...

    def decode(self, octets: bytes) -> object:
        """Raises ParseError."""


class Keeper:
    """Does what the core asks, in ``store``. ``longest``: seconds that a session without a timer is kept."""

    def __init__(self, driver: Driver, store: SessionStore, form: Form, longest: float) -> None:
        self._driver = driver
        self._store = store
        self._form = form
        self._longest = longest
        driver.keep = self.perform

    def perform(self, asked: Store | Forget | Load) -> None:
        """Ask the store; its answer goes to the core."""
        key = key_of(asked.key)
        match asked:
            case Store():
                record = self._form.encode(asked.record.as_values())
                answer = partial(self._driver.stored, asked)
                self._store.put(key, record, asked.epoch, self._lifetime(asked.record), answer)
            case Forget():
                self._store.forget(key, asked.epoch, partial(self._driver.stored, asked))
            case Load():
                self._store.take_over(key, partial(self._taken, asked))

    def _taken(self, load: Load, taken: Taken | Absent) -> None:
        if isinstance(taken, Absent):
            self._driver.loaded(load, taken)
            return
        try:
            record = SessionRecord.of_values(self._form.decode(taken.record)).aged(taken.age)
            if record.dialog.key != load.key:
                raise ParseError("it is the record of another dialog")
        except ParseError as error:
            CALL.warning("%s: its record cannot be read, the call is lost: %s", load.key[0], error)
            self._driver.loaded(load, Absent.UNKNOWN)
        else:
            self._driver.loaded(load, Loaded(record, taken.epoch))

    def _lifetime(self, record: SessionRecord) -> float:
        """The session timer's, with time to be taken over after it; its peer gives up then as well."""
        left = record.extensions.get("timer", {}).get("left")
        return left + GRACE if isinstance(left, int | float) else self._longest


GRACE = 32.0
"""Seconds that a record outlives its session timer."""


def key_of(key: DialogKey) -> str:
    """The key as the store sees it. A tag and a Call-ID have no space in them."""
    return " ".join((PREFIX, *key))


class Json:
    """Records as JSON: for stores that nothing else reads, without any further library."""

    def encode(self, values: dict[str, Any]) -> bytes:
        return json.dumps(values, separators=(",", ":")).encode()

    def decode(self, octets: bytes) -> object:
        try:
            return json.loads(octets)
        except ValueError as error:
            raise ParseError(f"no JSON: {error}") from None


__all__ = ["Json", "Keeper", "Outcome", "key_of"]
