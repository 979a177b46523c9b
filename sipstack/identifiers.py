"""Branches, tags, Call-IDs and nonces, all drawn from one injected random source.

A seeded ``random.Random`` makes a run reproducible; the default draws from the operating system, so that
tags and branches cannot be guessed by who does not see them (RFC 3261 §19.3).
"""

from __future__ import annotations

import random

MAGIC_COOKIE = "z9hG4bK"


class Identifiers:
    """One source of everything that must be unique or unguessable."""

    __slots__ = ("_bits", "random")

    def __init__(self, source: random.Random | None = None) -> None:
        self.random = source or random.SystemRandom()
        self._bits = self.random.getrandbits

    def branch(self) -> str:
        """A new transaction's branch (RFC 3261 §8.1.1.7)."""
        return f"{MAGIC_COOKIE}{self._bits(80):020x}"

    def tag(self) -> str:
        """A dialog tag: 64 bits (RFC 3261 §19.3 asks for 32 at least)."""
        return f"{self._bits(64):016x}"

    def call_id(self) -> str:
        """A Call-ID without a host part, so that it tells nothing of us."""
        return f"{self._bits(128):032x}"

    def nonce(self) -> str:
        """A client nonce for digest authentication."""
        return f"{self._bits(96):024x}"

    def octets(self, count: int) -> bytes:
        """``count`` random octets: keys, salts."""
        return self._bits(count * 8).to_bytes(count, "big")

    def session_id(self) -> int:
        """The o= line's session id (RFC 8866 §5.2): fits a signed 64-bit integer and the widest peers."""
        return self._bits(62)

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high), for random timers (RFC 3261 §14.1) and back-off."""
        return self.random.uniform(low, high)
