"""An established session as plain values, so that another process can go on with it."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, TypeGuard, TypeVar

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.errors import ParseError
from sipstack.message import NameAddr, SessionId
from sipstack.sdp.recordable import Keying, keying_of
from sipstack.usage.content import octets

T = TypeVar("T")


@attrs.frozen
class SessionRecord:
    """Everything that a session is, once its INVITE is done: no flow, no timer, no transaction, no secret.

    ``local`` and ``remote`` are the descriptions in force without their keys (``sdp.recordable``), None when
    there are none; what was being offered when the record was made is not part of it. ``extensions`` holds
    what each extension wrote, by its name; ``application`` what the user agent wants to have with it: media,
    the application's own data. ``later`` is what another version of this software wrote beside it, which
    goes back into the store with the next record.
    """

    dialog: Dialog
    is_caller: bool
    local: bytes | None = attrs.field(default=None, repr=octets)
    remote: bytes | None = attrs.field(default=None, repr=octets)
    extensions: dict[str, dict[str, object]] = attrs.field(factory=dict)
    application: dict[str, object] = attrs.field(factory=dict, repr=lambda data: f"<{len(data)} values>")
    later: dict[str, object] = attrs.field(factory=dict)

    @property
    def keying(self) -> Keying:
        """How its packets had their keys, which are not here. Unless that is NONE, who goes on needs new ones
        by a new offer, protected no less than before, and sends and plays nothing by the old description.
        """
        return keying_of(self.local, self.remote)

    def as_values(self) -> dict[str, Any]:
        """The record as texts, numbers, lists and dictionaries: ready for JSON or the like."""
        dialog, later = self.dialog, self.later
        fields: dict[str, object] = {name: getattr(dialog, name) for name in _DIALOG}
        fields["route_set"] = list(dialog.route_set)
        values = {
            "dialog": fields,
            "is_caller": self.is_caller,
            "local": _text(self.local),
            "remote": _text(self.remote),
            "extensions": self.extensions,
            "application": self.application,
        }
        if later:
            values = {**later, **values}
            fields.update(_fields(later.get("dialog", {}), "dialog"))
        return values

    def aged(self, seconds: float) -> SessionRecord:
        """The record so many seconds after it was written: what an extension has ``left`` is less."""
        return attrs.evolve(
            self, extensions={name: _aged(each, seconds) for name, each in self.extensions.items()}
        )

    def unread(self, extensions: Container[str]) -> SessionRecord | None:
        """What nobody here understands, where these are the extensions that we have; None for nothing."""
        states = {name: state for name, state in self.extensions.items() if name not in extensions}
        if not states and not self.later:
            return None
        return SessionRecord(self.dialog, self.is_caller, extensions=states, later=self.later)

    @classmethod
    def of_values(cls, values: object) -> SessionRecord:
        """The record that ``as_values`` wrote. Raises ParseError for anything else; keys that are not known
        are ``later``, so that the next version may write more.
        """
        fields = _fields(values, "record")
        local, remote = _octets(fields, "local"), _octets(fields, "remote")
        if (local is None) != (remote is None):
            raise ParseError("a record has both descriptions or none")
        extensions = _fields(fields.get("extensions"), "extensions")
        dialog = _fields(fields.get("dialog"), "dialog")
        return cls(
            _dialog(dialog),
            _of_type(fields, "is_caller", bool),
            local,
            remote,
            {name: dict(_fields(state, "extension")) for name, state in extensions.items()},
            dict(_fields(fields.get("application", {}), "application")),
            _later(fields, dialog),
        )


_DIALOG = tuple(attrs.fields_dict(Dialog))
_RECORD = frozenset(attrs.fields_dict(SessionRecord)) - {"later"}


def _later(fields: dict[str, object], dialog: dict[str, object]) -> dict[str, object]:
    later = {name: value for name, value in fields.items() if name not in _RECORD}
    of_dialog = {name: value for name, value in dialog.items() if name not in _DIALOG}
    if of_dialog:
        later["dialog"] = of_dialog
    return later


def _dialog(fields: dict[str, object]) -> Dialog:
    routes = _of_type(fields, "route_set", list)
    for route in routes:
        if type(route) is not str:
            raise ParseError("route_set is not a list of texts")
        _ = NameAddr.parse(route).uri  # now, and not when a request has to take it
    return Dialog(
        call_id=_header_text(fields, "call_id"),
        local_tag=_header_text(fields, "local_tag"),
        remote_tag=_header_text(fields, "remote_tag"),
        local=_header_text(fields, "local"),
        remote=_header_text(fields, "remote"),
        remote_target=_header_text(fields, "remote_target"),
        route_set=tuple(routes),
        local_cseq=_cseq(fields, "local_cseq"),
        remote_cseq=None if fields.get("remote_cseq") is None else _cseq(fields, "remote_cseq"),
        early=_of_type(fields, "early", bool),
        secure=_of_type(fields, "secure", bool),
        session_id=_session_id(fields),
    )


def _fields(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict) or not all(type(key) is str for key in value):
        raise ParseError(f"{name} is not a mapping")
    return value


def _of_type(fields: dict[str, object], name: str, kind: type[T]) -> T:
    value = fields.get(name)
    if type(value) is not kind:  # a bool is an int to isinstance
        raise ParseError(f"{name} is not of type {kind.__name__}")
    return value


def _aged(state: dict[str, object], seconds: float) -> dict[str, object]:
    left = state.get("left")
    return {**state, "left": left - seconds} if _is_number(left) else state


def _is_number(value: object) -> TypeGuard[float]:
    return type(value) in (int, float)


def _header_text(fields: dict[str, object], name: str) -> str:
    text = _of_type(fields, name, str)
    if any(mark in text for mark in "\r\n\0"):
        raise ParseError(f"{name} cannot stand in a message")
    return text


def _session_id(fields: dict[str, object]) -> str:
    """None in a record of before, or where there is none."""
    text = _header_text(fields, "session_id") if "session_id" in fields else ""
    if text and str(SessionId.parse(text)) != text:
        raise ParseError("session_id has another form")
    return text


def _cseq(fields: dict[str, object], name: str) -> int:
    number = _of_type(fields, name, int)
    if not 0 <= number < 2**31:  # RFC 3261 §8.1.1.5
        raise ParseError(f"{name} is no CSeq number")
    return number


def _octets(fields: dict[str, object], name: str) -> bytes | None:
    if fields.get(name) is None:
        return None
    try:
        return _of_type(fields, name, str).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ParseError(f"{name} is no text") from None


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode("utf-8", "surrogateescape")
