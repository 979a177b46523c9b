"""Between the core, which says what is to be kept, and the store, which sees a key and octets."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import attrs

from sipstack.core.lasting import began, lasted
from sipstack.core.outputs import DialogKey, Forget, Load, Loaded, Store
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.log import CALL
from sipstack.net.driver import Driver
from sipstack.outcome import Absent, Outcome
from sipstack.store import record as sessions_record
from sipstack.store.memory import MemoryStore
from sipstack.store.port import SessionStore, Taken
from sipstack.ua.call_records import CallRecorder
from sipstack.usage.invite.record import SessionRecord

PREFIX = "session"
"""Begins the keys of sessions: a store has other things as well."""


class Form(Protocol):
    """How a record is written."""

    def encode(self, values: dict[str, Any]) -> bytes:
        """Raises LocalProtocolError for values that are too large."""

    def decode(self, octets: bytes) -> object:
        """Raises ParseError."""


class Keeper:
    """Does what the core asks, in ``store``. ``longest``: seconds that a session without a timer is kept."""

    def __init__(self, driver: Driver, store: SessionStore, form: Form, longest: float) -> None:
        self._driver = driver
        self._store = store
        self._form = form
        self._longest = longest
        self.missed: Callable[[DialogKey, Absent], None] = _ignore
        """Told of each session that was asked for and is not to be had."""
        self.recorder: CallRecorder | None = None
        """Who writes the records of calls: a session is not forgotten before its call has one."""
        driver.keep = self.perform

    def perform(self, asked: Store | Forget | Load) -> None:
        """Ask the store; its answer goes to the core."""
        key = key_of(asked.key)
        match asked:
            case Store():
                values = asked.record.as_values()
                values["application"] = lasted(asked.record.application, self._driver.now())
                answer = partial(self._driver.stored, asked)
                try:
                    record = self._form.encode(values)
                except LocalProtocolError as error:  # the peer has written too much
                    CALL.warning("%s: the call cannot be kept as it is: %s", asked.key[0], error)
                    answer(Outcome.TOO_LARGE)
                else:
                    self._store.put(key, record, asked.epoch, self._lifetime(asked.record), answer)
            case Forget():
                forget = partial(self._store.forget, key, asked.epoch, partial(self._driver.stored, asked))
                if self.recorder is None:
                    forget()
                else:
                    self.recorder.before_forgotten(asked.key, forget)
            case Load():
                self._store.take_over(key, partial(self._taken, asked), asked.epoch)

    def _taken(self, load: Load, taken: Taken | Absent) -> None:
        found = taken if isinstance(taken, Absent) else self.read(load.key, taken)
        self._driver.loaded(load, found)
        if isinstance(found, Absent):
            self.missed(load.key, found)

    def read(self, key: DialogKey, taken: Taken) -> Loaded | Absent:
        """The session in this record."""
        try:
            record = SessionRecord.of_values(self._form.decode(taken.record)).aged(taken.age)
            if record.dialog.key != key:
                raise ParseError("it is the record of another dialog")
        except ParseError as error:
            CALL.warning("%s: its record cannot be read, the call is lost: %s", key[0], error)
            return Absent.UNKNOWN
        application = began(record.application, self._driver.now() - taken.age)
        return Loaded(attrs.evolve(record, application=application), taken.epoch)

    def _lifetime(self, record: SessionRecord) -> float:
        """The session timer's, with time to be taken over after it; its peer gives up then as well."""
        left = record.extensions.get("timer", {}).get("left")
        return left + GRACE if isinstance(left, int | float) else self._longest


GRACE = 32.0
"""Seconds that a record outlives its session timer."""


def key_of(key: DialogKey) -> str:
    """The key as the store sees it. A tag and a Call-ID have no space in them."""
    return " ".join((PREFIX, *key))


def dialog_of(key: str) -> DialogKey | None:
    """The dialog whose key this is; None for the key of something else."""
    prefix, *parts = key.split(" ")
    return (parts[0], parts[1], parts[2]) if prefix == PREFIX and len(parts) == 3 else None


def _ignore(key: DialogKey, absent: Absent) -> None:
    """Nobody waits for it."""


class Json:
    """Records as JSON: for stores that nothing else reads, without any further library."""

    def encode(self, values: dict[str, Any]) -> bytes:
        return json.dumps(values, separators=(",", ":")).encode()

    def decode(self, octets: bytes) -> object:
        try:
            return json.loads(octets)
        except ValueError as error:
            raise ParseError(f"no JSON: {error}") from None


def form_of(store: SessionStore) -> Form:
    """How records are written in this store: what stays in our memory needs no library."""
    if isinstance(store, MemoryStore):
        return Json()
    return sessions_record
