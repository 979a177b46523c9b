"""A file of lines that is only appended to, and survives that its process dies at any moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from sipstack.errors import StoreError

PRIVATE = 0o600


class LineFile:
    """Whole lines, or none: what a crash or a full disk has left of one is cut off."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        """Octets of whole lines."""
        self._handle = -1

    def open(self, *, alone: bool = False) -> tuple[list[bytes], bytes]:
        """The lines that are there, without their ends, and what was cut off. ``alone``: no other process may
        have it open so meanwhile. Raises OSError, or StoreError when another one has.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._handle = os.open(self.path, flags, PRIVATE)
        if alone:
            self._lock()
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        torn = data[whole:]
        self.size = whole
        if torn:
            os.ftruncate(self._handle, whole)
        return data[:whole].split(b"\n")[:-1], torn

    def _lock(self) -> None:
        if os.name != "posix":
            return
        import fcntl

        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StoreError(f"{self.path} is written by another process: each has its own") from None

    def append(self, lines: Sequence[bytes]) -> None:
        """Raises OSError; then nothing of them is in the file."""
        if not lines:
            return
        data = b"".join(line + b"\n" for line in lines)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._handle, rest) :]
            os.fsync(self._handle)
        except OSError:
            self.shorten(self.size)
            raise
        self.size += len(data)

    def shorten(self, size: int) -> None:
        """Take the lines behind ``size`` octets out again, as far as that can be done."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, size)
            self.size = size

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
