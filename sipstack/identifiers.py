"""Branches, tags, Call-IDs and nonces, all drawn from one injected random source.

A seeded ``random.Random`` makes a run reproducible; the default draws from the operating system, so that
tags and branches cannot be guessed by anybody who does not see them (RFC 3261 §19.3).
"""

from __future__ import annotations

import random

MAGIC_COOKIE = "z9hG4bK"
DRAWN = 1024
"""Octets drawn from the source at a time."""


class Identifiers:
    """One source of everything that must be unique or unguessable."""

    __slots__ = ("_drawn", "_used", "random")

    def __init__(self, source: random.Random | None = None) -> None:
        self.random = source or random.SystemRandom()
        self._drawn = ""  # hexadecimal, many at a time: asking the system costs as much as parsing
        self._used = 0

    def _digits(self, count: int) -> str:
        """``count`` hexadecimal digits, each given out once."""
        start = self._used
        end = self._used = start + count
        if end > len(self._drawn):
            self._drawn = self.random.randbytes(DRAWN).hex()
            start, self._used = 0, count
        return self._drawn[start : start + count]

    def branch(self) -> str:
        """A new transaction's branch (RFC 3261 §8.1.1.7)."""
        return MAGIC_COOKIE + self._digits(20)

    def tag(self) -> str:
        """A dialog tag: 64 bits (RFC 3261 §19.3 asks for 32 at least)."""
        return self._digits(16)

    def call_id(self) -> str:
        """A Call-ID without a host part, so that it tells nothing of us."""
        return self._digits(32)

    def nonce(self) -> str:
        """A client nonce for digest authentication."""
        return self._digits(24)

    def octets(self, count: int) -> bytes:
        """``count`` random octets: keys, salts."""
        return self.random.randbytes(count)

    def session_id(self) -> int:
        """The o= line's session id (RFC 8866 §5.2): fits a signed 64-bit integer and the widest peers."""
        return self.random.getrandbits(62)

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high), for random timers (RFC 3261 §14.1) and back-off."""
        return self.random.uniform(low, high)
