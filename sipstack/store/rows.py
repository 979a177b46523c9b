"""The values of a record as the array that is written, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from sipstack.errors import LocalProtocolError, ParseError
from sipstack.store.layout import (
    CRITICAL,
    DIALOG,
    DIALOG_TEXTS,
    FLAGS,
    HIGHEST_FLAGS,
    LONGEST_DESCRIPTION,
    LONGEST_TEXT,
    MOST_ROUTES,
    OF_DIALOG,
    OF_RECORD,
    PARTS,
)
from sipstack.store.plain import Writing, mapping, read, text
from sipstack.store.upgrades import VERSION, Row

T = TypeVar("T")

_KNOWN_FLAGS = sum(FLAGS.values())
_REMOTE = ";remote="  # between the halves of a Session-ID (RFC 7989 §5)

# --- writing ---


def row_of(values: Mapping[str, object], writing: Writing) -> Row:
    """Raises LocalProtocolError for values that are no record's."""
    dialog = _of_type(values, "dialog", dict)
    extensions = _of_type(values, "extensions", dict)
    if not all(isinstance(state, dict) for state in extensions.values()):
        raise LocalProtocolError("an extension keeps something other than a dictionary in a record")
    row: Row = [
        VERSION,
        _flags(values, dialog),
        _dialog(dialog),
        _description(values, "local"),
        _description(values, "remote"),
        writing.mapping(extensions),
        writing.mapping(_of_type(values, "application", dict)),
    ]
    if values.keys() <= OF_RECORD and dialog.keys() <= OF_DIALOG:
        return row
    later = {name: value for name, value in values.items() if name not in OF_RECORD and name != "flags"}
    of_dialog = {name: value for name, value in dialog.items() if name not in OF_DIALOG}
    if of_dialog:
        later["dialog"] = of_dialog
    if later:
        row.append(writing.mapping(later))
    return row


def _flags(values: Mapping[str, object], dialog: Mapping[str, object]) -> int:
    flags = 0
    if "flags" in values:
        flags = _of_type(values, "flags", int)
        if flags & CRITICAL or not 0 < flags <= HIGHEST_FLAGS:
            raise LocalProtocolError("a record has flags that are not of a later version")
    for name, bit in FLAGS.items():
        if _of_type(dialog if name in OF_DIALOG else values, name, bool):
            flags |= bit
    return flags


def _dialog(dialog: Mapping[str, object]) -> Row:
    routes = _of_type(dialog, "route_set", list)
    if len(routes) > MOST_ROUTES:
        raise LocalProtocolError(f"a record has more than {MOST_ROUTES} routes")
    remote_cseq = dialog.get("remote_cseq")
    row: Row = [_text(dialog.get(name), name) for name in DIALOG_TEXTS]
    row.append([_text(route, "route") for route in routes])
    row.append(_cseq(dialog, "local_cseq"))
    row.append(None if remote_cseq is None else _cseq(dialog, "remote_cseq"))
    row.append(_session_id(_of_type(dialog, "session_id", str)))
    return row


def _text(value: object, name: str, longest: int = LONGEST_TEXT) -> object:
    if not isinstance(value, str):
        raise LocalProtocolError(f"a record has no text for {name}")
    if len(value) > longest:
        raise LocalProtocolError(f"a record is too large: {name} has more than {longest} characters")
    return value if value.isascii() else text(value)


def _description(values: Mapping[str, object], name: str) -> object:
    value = values.get(name)
    return None if value is None else _text(value, f"the {name} description", LONGEST_DESCRIPTION)


def _session_id(value: str) -> object:
    """Half as long: its two UUIDs, 16 octets each."""
    if len(value) == 72 and value[32:40] == _REMOTE:
        try:
            octets = bytes.fromhex(value[:32] + value[40:])
        except ValueError:
            pass
        else:
            if _session_id_of(octets) == value:
                return octets
    return _text(value, "session_id")


def _cseq(dialog: Mapping[str, object], name: str) -> int:
    number = _of_type(dialog, name, int)
    if not 0 <= number < 2**31:
        raise LocalProtocolError(f"a record has a {name} out of range")
    return number


def _of_type(values: Mapping[str, object], name: str, kind: type[T]) -> T:
    value = values.get(name)
    if type(value) is not kind:  # a bool is an int to isinstance
        raise LocalProtocolError(f"a record has no {kind.__name__} for {name}")
    return value


# --- reading ---


def values_of(row: Row) -> dict[str, object]:
    """The values of what stands behind the version. Not all of it is checked: ``row_of`` does the rest.

    Raises ParseError.
    """
    if len(row) not in (PARTS, PARTS + 1):
        raise ParseError("a record of another number of parts")
    flags, dialog, local, remote, extensions, application, *rest = row
    if type(flags) is not int or not 0 <= flags <= HIGHEST_FLAGS:
        raise ParseError("a record without flags")
    if flags & CRITICAL & ~_KNOWN_FLAGS:
        raise ParseError(f"a record with a flag that must be known and is not: {flags:#x}")
    if not isinstance(dialog, list) or len(dialog) != len(DIALOG):
        raise ParseError("a record without a dialog")
    values = mapping(rest[0]) if rest else {}
    of_dialog = values.pop("dialog", {})
    if not isinstance(of_dialog, dict):
        raise ParseError("a record whose dialog has no later fields where they belong")
    fields = {**of_dialog, **{name: read(value) for name, value in zip(DIALOG, dialog, strict=True)}}
    session_id = fields["session_id"]
    if isinstance(session_id, bytes):
        fields["session_id"] = _session_id_of(session_id)
    fields["secure"], fields["early"] = bool(flags & FLAGS["secure"]), bool(flags & FLAGS["early"])
    if flags > CRITICAL:
        values["flags"] = flags & ~CRITICAL
    values["dialog"] = fields
    values["is_caller"] = bool(flags & FLAGS["is_caller"])
    values["local"], values["remote"] = read(local), read(remote)
    values["extensions"], values["application"] = mapping(extensions), mapping(application)
    return values


def _session_id_of(octets: bytes) -> str:
    digits = octets.hex()
    return f"{digits[:32]}{_REMOTE}{digits[32:]}"
