"""An established session as plain values, so that another process can go on with it."""

from __future__ import annotations

from typing import Any

import attrs

from sipstack.dialog.dialog import Dialog
from sipstack.errors import ParseError


@attrs.frozen
class SessionRecord:
    """Everything that a session is, once its INVITE is done: no flow, no timer, no transaction, no secret.

    ``local`` and ``remote`` are the descriptions in force, None when there are none; what was being offered
    when the record was made is not part of it. ``extensions`` holds what each extension wrote, by its name.
    """

    dialog: Dialog
    is_caller: bool
    local: bytes | None = None
    remote: bytes | None = None
    extensions: dict[str, dict[str, object]] = attrs.field(factory=dict)

    def as_values(self) -> dict[str, Any]:
        """The record as texts, numbers, lists and dictionaries: ready for JSON or the like."""
        return {
            "dialog": {**attrs.asdict(self.dialog), "route_set": list(self.dialog.route_set)},
            "is_caller": self.is_caller,
            "local": _text(self.local),
            "remote": _text(self.remote),
            "extensions": self.extensions,
        }

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> SessionRecord:
        """The record that ``as_values`` wrote. Raises ParseError for anything else."""
        try:
            dialog = dict(values["dialog"])
            dialog["route_set"] = tuple(dialog["route_set"])
            return cls(
                Dialog(**dialog),
                values["is_caller"],
                _octets(values["local"]),
                _octets(values["remote"]),
                dict(values["extensions"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ParseError(f"not the record of a session: {error}") from error


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode("utf-8", "surrogateescape")


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")
