"""Server nonces that need no memory: each carries its time, authenticated (RFC 7616 §5.4)."""

from __future__ import annotations

import hmac
from collections import OrderedDict

SHORTEST_SECRET = 16
_STAMP = 20  # hexadecimal digits: 12 of milliseconds, 8 of a count; those of the issuer follow
_SIGNATURE = 32  # 128 bits of HMAC-SHA-256
WINDOW = 32
"""How far a nonce count may stay behind the highest: requests overtake one another on the way."""
ELSEWHERE = 32.0
"""Seconds (64*T1) in which a nonce of another issuer is good: for who comes here to answer its challenge."""
SKEW = 2.0
"""Seconds by which the clock of another issuer may be ahead."""


class Nonces:
    """Issues nonces, and tells which of those that come back may be used.

    Only what guards against replay is kept: of each nonce that has authenticated a client the highest nonce
    count, and which of the ``WINDOW`` below it were there, for at most ``table_size`` nonces. When an entry
    is dropped for want of room, every nonce that is as old and not in the table counts as expired: nothing
    can be replayed, its user is challenged anew.

    Of several servers with one secret each has a name, ``issuer``, the same number of hexadecimal digits for
    all of them and another one whenever it is started: none knows what the others have counted. So each takes
    of the nonces of others only the first count, once, and for ``ELSEWHERE`` seconds. What somebody has
    overheard can be replayed at each of the others once in that time, when it was the first request with its
    nonce, and not at all otherwise. ``epoch``: when the secret was made, on the clock of ``now``: times are
    counted from then on, so that servers need no common clock.
    """

    def __init__(
        self,
        secret: bytes,
        lifetime: float,
        table_size: int = 10_000,
        *,
        issuer: str = "",
        epoch: float = 0.0,
    ) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret of nonces needs {SHORTEST_SECRET} random octets, not {len(secret)}")
        self._secret = secret
        self._lifetime = lifetime
        self._table_size = table_size
        self._issuer = issuer
        self._epoch = epoch
        self._issued = 0
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()  # least recently used first
        self._floor = ""  # stamp of the youngest nonce that was dropped from the table

    def __repr__(self) -> str:
        return f"<Nonces {len(self._counts)} in use>"  # never the secret

    def issue(self, now: float, binding: str = "") -> str:
        """A new nonce, no two alike. ``binding`` (a source address, a Call-ID) must be the same on return."""
        self._issued += 1
        milliseconds = int((now - self._epoch) * 1000)
        stamp = f"{milliseconds & 0xFFFFFFFFFFFF:012x}{self._issued & 0xFFFFFFFF:08x}{self._issuer}"
        return stamp + self._signature(stamp, binding)

    def is_live(self, nonce: str, now: float, binding: str = "") -> bool:
        """Whether the nonce is ours, in its lifetime, issued for ``binding``, and not forgotten."""
        stamp = self._stamp(nonce)
        signature = self._signature(stamp, binding)
        if not hmac.compare_digest(_octets(nonce[len(stamp) :]), _octets(signature)):
            return False
        age = now - self._epoch - int(stamp[:12], 16) / 1000
        # The time within a nonce is cut to milliseconds. A clock that went backwards makes the age negative.
        if self._is_ours(stamp):
            in_lifetime = 0 <= age <= self._lifetime
        else:
            in_lifetime = -SKEW <= age <= min(self._lifetime, ELSEWHERE)
        return in_lifetime and (stamp > self._floor or nonce in self._counts)

    def count(self, nonce: str, nc: int) -> bool:
        """Take note of a request with this nonce count; False when it was there before, or is so far behind
        the highest that nobody knows, or another issuer may have had it.
        """
        if nc > 1 and not self._is_ours(self._stamp(nonce)):
            return False
        highest, seen = self._counts.get(nonce, (0, 0))  # bit n of the second: the highest less n was there
        behind = highest - nc
        if nc <= 0 or behind >= WINDOW or (behind >= 0 and seen >> behind & 1):
            return False
        if behind < 0:
            seen = (seen << min(-behind, WINDOW) | 1) & (1 << WINDOW) - 1
        else:
            seen |= 1 << behind
        self._counts[nonce] = max(highest, nc), seen
        self._counts.move_to_end(nonce)
        if len(self._counts) > self._table_size:
            forgotten, _ = self._counts.popitem(last=False)
            self._floor = max(self._floor, self._stamp(forgotten))
        return True

    def _stamp(self, nonce: str) -> str:
        return nonce[: _STAMP + len(self._issuer)]

    def _is_ours(self, stamp: str) -> bool:
        return stamp[_STAMP:] == self._issuer

    def _signature(self, stamp: str, binding: str) -> str:
        return hmac.digest(self._secret, _octets(f"{stamp}:{binding}"), "sha256").hex()[:_SIGNATURE]


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
