"""What an application wants to have with a call: plain values, kept with the session where that is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from sipstack.errors import LocalProtocolError

LARGEST = 8000
"""Octets that all values of a call may take, as JSON: 8 KiB with what the user agent itself keeps."""
DATA = "data"
"""Their name in what is kept with a session."""
MEDIA = "media"
"""There when the session is a call of the user agent, which has media, and not one of its policy."""


def no_change() -> None:
    """Nothing is kept yet: the first 2xx takes along what there is."""


class CallData(MutableMapping[str, Any]):
    """Like a dictionary of texts: ``call.data["ticket"] = 4711``. A value is a text, a number, True, False,
    None, or a list or dictionary of these; what you get is a copy, so set the key again to change it.

    A value that is none of these, or too much for the 8,000 octets that all have together, raises
    LocalProtocolError, and everything stays as it was. They are in no SIP message, and in no log.
    """

    __slots__ = ("_changed", "_kept")

    def __init__(self, kept: dict[str, object], changed: Callable[[], None]) -> None:
        self._kept = kept
        self._changed = changed

    def __repr__(self) -> str:
        return f"<CallData of {len(self)} values>"

    def __len__(self) -> int:
        return len(self._read())

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __getitem__(self, key: str) -> Any:
        return self._read()[key]

    def __setitem__(self, key: str, value: object) -> None:
        if not isinstance(key, str):
            raise LocalProtocolError(f"the keys of call.data are texts, not {type(key).__name__}")
        self._write({**self._read(), key: value})

    def __delitem__(self, key: str) -> None:
        values = self._read()
        del values[key]
        self._write(values)

    def _read(self) -> dict[str, Any]:
        text = self._kept.get(DATA)
        try:
            values = json.loads(text) if isinstance(text, str) else {}
        except (ValueError, RecursionError):  # by another application, perhaps
            return {}
        return values if isinstance(values, dict) else {}

    def _write(self, values: dict[str, Any]) -> None:
        try:
            text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            size = len(text.encode())
        except (TypeError, ValueError, RecursionError):
            raise LocalProtocolError(
                "call.data takes texts, numbers, True, False, None, and lists and dictionaries of these"
            ) from None
        if size > LARGEST:
            raise LocalProtocolError(
                f"call.data would take {size} octets, above {LARGEST}:"
                " keep what is large elsewhere, and its key here"
            )
        self._kept[DATA] = text
        self._changed()
