"""Branches, tags, Call-IDs and nonces, all drawn from one injected random source.

A seeded ``random.Random`` makes a run reproducible; the default draws from the operating system, so that tags
and branches cannot be guessed by an attacker that does not see them (RFC 3261 §19.3).
"""

from __future__ import annotations

import os
import random
import weakref

MAGIC_COOKIE = "z9hG4bK"
DRAWN = 1024
"""Octets drawn from the source at a time."""
_DIGITS = 32
"""Hexadecimal digits of the longest identifier: each is cut from a piece of so many."""


class Identifiers:
    """One source of everything that must be unique or unguessable.

    It may be used by several threads. After ``os.fork()`` parent and child draw different identifiers, unless
    the source is seeded: then both go on as the seed says. A seed is for tests: it tells all keys, too.
    """

    __slots__ = ("__weakref__", "_pieces", "random")

    def __init__(self, source: random.Random | None = None) -> None:
        self.random = source or random.SystemRandom()
        # Many at a time: asking the system costs as much as parsing
        self._pieces: list[str] = []
        _ALL.add(self)

    def _piece(self) -> str:
        """Hexadecimal digits that are given out once."""
        try:
            return self._pieces.pop()  # one step: no two threads get the same
        except IndexError:
            digits = self.random.randbytes(DRAWN).hex()
            piece, *others = [digits[i : i + _DIGITS] for i in range(0, len(digits), _DIGITS)]
            self._pieces.extend(others)
            return piece

    def _forget_drawn(self) -> None:
        """Leave what has been drawn and not given out to the process that drew it."""
        self._pieces.clear()

    def branch(self) -> str:
        """A new transaction's branch (RFC 3261 §8.1.1.7)."""
        return MAGIC_COOKIE + self._piece()[:20]

    def tag(self) -> str:
        """A dialog tag: 64 bits (RFC 3261 §19.3 asks for 32 at least)."""
        return self._piece()[:16]

    def call_id(self) -> str:
        """A Call-ID without a host part, so that it tells nothing of us."""
        return self._piece()

    def cnonce(self) -> str:
        """A client nonce for digest authentication (RFC 7616 §3.4)."""
        return self._piece()[:24]

    def cname(self) -> str:
        """RTCP's name of us in one session (RFC 7022 §4.2): 96 bits."""
        return self._piece()[:24]

    def instance(self) -> str:
        """An instance-id (RFC 5626 §4.1): ``urn:uuid:`` and a random UUID (RFC 9562 §5.4)."""
        digits = f"{self.random.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) % 4]
        parts = digits[:8], digits[8:12], f"4{digits[13:16]}", f"{variant}{digits[17:20]}", digits[20:]
        return "urn:uuid:" + "-".join(parts)

    def uuid(self) -> str:
        """Our half of a Session-ID (RFC 7989 §4.1): a random UUID without its hyphens."""
        digits = self._piece()
        return f"{digits[:12]}4{digits[13:16]}a{digits[17:]}"

    def octets(self, count: int) -> bytes:
        """``count`` random octets: keys, salts."""
        return self.random.randbytes(count)

    def session_id(self) -> int:
        """The o= line's session id (RFC 8866 §5.2): fits a signed 64-bit integer and the widest peers."""
        return self.random.getrandbits(62)

    def uniform(self, low: float, high: float) -> float:
        """A float in [low, high), for random timers (RFC 3261 §14.1) and back-off."""
        return self.random.uniform(low, high)


_ALL: weakref.WeakSet[Identifiers] = weakref.WeakSet()


def _forget_drawn() -> None:
    for identifiers in _ALL:
        identifiers._forget_drawn()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=_forget_drawn)
