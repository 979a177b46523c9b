"""The file of signed checkpoints, and the lock that lets one process alone write a chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sipstack.errors import ParseError, StoreError
from sipstack.records.chain import Entry, Head
from sipstack.records.checkpoint import Checkpoint
from sipstack.records.lines import LineFile

if TYPE_CHECKING:
    from sipstack.records.signing import Signer


class Signatures:
    """Signs where a chain stands."""

    def __init__(self, path: Path, signer: Signer) -> None:
        self._file = LineFile(path)
        self._signer = signer
        self.last: Checkpoint | None = None

    def open(self) -> None:
        """Raises StoreError when another process writes the chain, or when another key has signed it."""
        lines, _ = self._file.open(alone=True)
        if lines:
            try:
                self.last = Checkpoint.read(lines[-1])
            except ParseError as error:
                raise StoreError(f"{self._file.path} is damaged in line {len(lines)}: {error}") from None
            if self.last.key != self._signer.public:
                raise StoreError(f"another key has signed {self._file.path}: a new key begins a new chain")

    def sign(self, head: Entry | Head, at: int, *, end: bool = False) -> None:
        """Raises OSError."""
        draft = Checkpoint.after(self.last, head, at, self._signer.public, end=end)
        checkpoint = draft.signed(self._signer.sign)
        self._file.append([checkpoint.line()])
        self.last = checkpoint

    def close(self) -> None:
        self._file.close()
