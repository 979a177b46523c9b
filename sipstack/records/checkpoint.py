"""Signed statements of how far a chain goes: what is cut off behind one is missed.

They are kept apart from the chain, and are a chain of their own, so that none of them can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.records.chain import ZERO, Entry, Head, canonical, number_of, read_line, text_of

PURPOSE = "sipstack call records 1"
"""In each of them: the signature is of no use for anything else."""


@attrs.frozen
class Checkpoint:
    """One line: entry ``number`` of ``chain`` has this ``hash``. ``end``: it was the last one when its
    process ended in order. ``key`` is the public key, ``signature`` Ed25519 over the canonical JSON of all
    other fields, both in hexadecimal.
    """

    chain: str
    serial: int
    before: str
    """SHA-256 of the line of the checkpoint before."""
    number: int
    hash: str
    at: int
    end: bool
    key: str
    signature: str
    purpose: str = PURPOSE

    @classmethod
    def after(
        cls, last: Checkpoint | None, head: Entry | Head, at: int, key: str, *, end: bool = False
    ) -> Checkpoint:
        """The one that follows ``last``, not signed yet."""
        serial, before = (0, ZERO) if last is None else (last.serial + 1, last.digest)
        return cls(head.chain, serial, before, head.number, head.hash, at, end, key, "")

    def signed(self, sign: Callable[[bytes], bytes]) -> Checkpoint:
        return attrs.evolve(self, signature=sign(self.payload).hex())

    @property
    def payload(self) -> bytes:
        """What is signed."""
        values = attrs.asdict(self)
        del values["signature"]
        return canonical(values)

    @property
    def digest(self) -> str:
        return sha256(self.line()).hexdigest()

    def line(self) -> bytes:
        """Without the end of the line."""
        return canonical(attrs.asdict(self))

    @classmethod
    def read(cls, line: bytes) -> Checkpoint:
        """The signature is not looked at. Raises ParseError."""
        values: dict[str, Any] = read_line(line)
        if len(values) != len(attrs.fields(cls)) or type(values.get("end")) is not bool:
            raise ParseError("the line is no checkpoint")
        texts = {name: text_of(values, name) for name in ("chain", "before", "hash", "key", "signature")}
        numbers = {name: number_of(values, name) for name in ("serial", "number", "at")}
        if text_of(values, "purpose") != PURPOSE:
            raise ParseError("the checkpoint is for something else")
        return cls(end=values["end"], **texts, **numbers)  # type: ignore[arg-type]
