"""The port by which sessions are sealed: synchronous, for the core writes our Contact."""

from __future__ import annotations

from typing import Protocol

from sipstack.outcome import Opened

DialogKey = tuple[str, str, str]
"""Call-ID, our tag, the peer's tag."""


class Seal(Protocol):
    """Makes user parts of URIs that nobody else can read or make, each bound to its dialog."""

    node: int
    """Our number among those that open the same seals, below ``core.numbers.NODES``."""

    def seal(self, key: DialogKey, values: object, lifetime: float, room: int) -> str:
        """``values`` for ``lifetime`` seconds as a user part of at most ``room`` characters, none of which
        needs an escape (RFC 3261 §25.1); empty where they do not fit. Raises LocalProtocolError for values
        that are not plain.
        """

    def begin(self, call_id: str, local_tag: str, lifetime: float, room: int) -> str:
        """The same of a call that has no peer yet."""

    def open(self, user: str, key: DialogKey) -> Opened | None:
        """What ``user`` holds of the dialog ``key``; None where it is no seal of ours for it, or too old.
        Raises ParseError for one that cannot be read.
        """
