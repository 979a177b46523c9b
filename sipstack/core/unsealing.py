"""Requests in dialogs that we do not have, but whose Request-URI is a seal of ours: the session goes on from
what it holds, at once.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Protocol

import attrs

from sipstack.core.configuration import Configuration
from sipstack.core.lasting import began
from sipstack.core.numbers import next_block
from sipstack.core.outputs import DialogKey, Load, Loaded, dialog_key
from sipstack.core.sealing import Sealing
from sipstack.dialog.services import CoreServices
from sipstack.errors import LocalProtocolError, ParseError
from sipstack.message import Request, SipUri
from sipstack.message.session_id import NULL, paired
from sipstack.outcome import Absent, Opened
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session

LEAST_LEFT = 64.0
"""Seconds that a session timer has left at the least: its peer is there, and clocks may differ."""


class UnsealingCore(CoreServices, Protocol):
    """The parts of the core that opening needs."""

    configuration: Configuration

    def put_off(self, request: Request, transaction: AnyServer, now: float) -> None: ...

    def origin(self, request: Request, flow: Flow, now: float) -> Flow: ...

    def restore(self, loaded: Loaded, flow: Flow | None, now: float) -> Session: ...

    def take(self, request: Request, transaction: AnyServer, now: float) -> None: ...


class Unsealing:
    """Takes over what a peer has kept. Like ``Takeovers``, but nothing waits."""

    __slots__ = ("_core", "_resumed", "_sealing")

    def __init__(self, core: UnsealingCore, sealing: Sealing) -> None:
        self._core = core
        self._sealing = sealing
        self._resumed: dict[DialogKey, list[tuple[Request, AnyServer]]] = {}

    def __len__(self) -> int:
        return 0

    def claim(self, key: DialogKey, now: float, epoch: int | None = None) -> bool:
        """Nobody but the peer has it: we wait for its next request."""
        return False

    def proceed(self, key: DialogKey, now: float) -> None:
        """As in ``Takeovers``."""
        for request, transaction in self._resumed.pop(key, ()):
            self._core.take(request, transaction, now)

    def loaded(self, load: Load, found: Loaded | Absent, now: float) -> None:
        """Nothing is loaded."""

    def wait(self, request: Request, transaction: AnyServer, now: float) -> bool:
        """Answer ``request``: always True."""
        core, sealing, uri = self._core, self._sealing, request.uri
        key = dialog_key(request)
        sealing.over.expire(now)
        user = uri.user if isinstance(uri, SipUri) else None
        try:
            opened = sealing.seal.open(user, key) if user and not sealing.ends(key) else None
            fields = None if opened is None else _fields(opened)
        except ParseError:  # a later version of ours has sealed it
            core.put_off(request, transaction, now)
            return True
        if opened is None:
            core.take(request, transaction, now)
        elif fields is None:
            self._take_begun(key, request, transaction, now)
        else:
            self._take(fields, opened.age, request, transaction, now)
        return True

    def _take_begun(self, key: DialogKey, request: Request, transaction: AnyServer, now: float) -> None:
        """Of the session nobody knows more than that there is one."""
        core = self._core
        if request.method == "BYE":
            self._sealing.over.add(key, now)
            core.respond(transaction, request.response(200), now)
        elif request.method == "OPTIONS":
            core.serve(request, transaction, now)
        else:
            core.put_off(request, transaction, now)

    def _take(
        self, fields: dict[str, Any], age: float, request: Request, transaction: AnyServer, now: float
    ) -> None:
        core = self._core
        flow = core.origin(request, transaction.flow, now)
        try:
            record = self._record(fields, age, request, now)
        except ParseError:
            core.put_off(request, transaction, now)
            return
        last = record.dialog.remote_cseq
        if last is not None and request.cseq.number <= last:  # said before the seal was made
            core.respond(transaction, request.response(500), now)
            return
        if self._may_come(fields, record, flow):
            with suppress(LocalProtocolError):
                core.restore(Loaded(record, 0), flow, now)
                self._resumed[record.dialog.key] = [(request, transaction)]
                return
        core.take(request, transaction, now)

    def _record(self, fields: dict[str, Any], age: float, request: Request, now: float) -> SessionRecord:
        """The session as it goes on here, with numbers of our own. Raises ParseError."""
        dialog = dict(fields["dialog"])
        number = dialog.get("local_cseq")
        if type(number) is int:
            dialog["local_cseq"] = next_block(number, self._sealing.seal.node, age)
        ours = dialog.pop("session_id", "")
        if type(ours) is not str:
            raise ParseError("session_id is no text")
        told = {"session_id": _session_id(request, ours), "early": False}
        record = SessionRecord.of_values(fields | {"dialog": dialog | _told_by(request) | told})
        application = began(record.application, now - age)
        return _aged(attrs.evolve(record, application=application), age)

    def _may_come(self, fields: dict[str, Any], record: SessionRecord, flow: Flow) -> bool:
        """A secure session has no business with who comes in the clear; one whose peer is known by his
        address, with who comes from elsewhere.
        """
        if record.dialog.secure and not flow.secure:
            return False
        return self._core.configuration.peers == "anyone" or fields.get("source") == flow.remote[0]


def _fields(opened: Opened) -> dict[str, Any] | None:
    """The session as values; None of one that is only begun, or waits for its first descriptions. Raises
    ParseError.
    """
    values = opened.values
    if values is None:
        return None
    if not isinstance(values, dict) or not isinstance(values.get("dialog"), dict):
        raise ParseError("no session")
    return values if values.get("remote") is not None else None


def _told_by(request: Request) -> dict[str, object]:
    """Of a dialog, what each request of its peer tells."""
    return {
        "call_id": request.call_id,
        "local_tag": request.to.tag or "",
        "remote_tag": request.from_.tag or "",
        "local": request.headers.get("To") or "",
        "remote": request.headers.get("From") or "",
    }


def _session_id(request: Request, ours: str) -> str:
    """``ours``: our half, where the peer had never told it; else it does in each request (RFC 7989 §6)."""
    heard = request.headers.readable("Session-ID") if "Session-ID" in request.headers.index else None
    if heard is not None and heard.remote != NULL:
        return paired(heard.remote, heard.local)
    return paired(ours) if ours else ""


def _aged(record: SessionRecord, age: float) -> SessionRecord:
    lefts = [left for each in record.extensions.values() if isinstance(left := each.get("left"), int | float)]
    most = min((left - LEAST_LEFT for left in lefts), default=age)
    return record.aged(max(min(age, most), 0.0))
