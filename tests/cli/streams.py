"""An environment in memory, for commands that run inside a test."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from sipstack.cli.environment import Environment


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def environment(
    *, terminal: bool = False, variables: Mapping[str, str] | None = None, **more: Any
) -> Environment:
    """An environment whose streams can be read back with ``getvalue``."""
    stream = Terminal if terminal else io.StringIO
    return Environment(stream(), stream(), stream(), variables or {}, **more)


def text(stream: Any) -> str:
    """The text written to a stream of ``environment``."""
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()
