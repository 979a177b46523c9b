"""The timer values of RFC 3261 appendix A."""

from __future__ import annotations

import attrs

NEVER = float("inf")
"""The deadline of an item that waits for nothing."""


@attrs.frozen
class Timers:
    """T1, T2 and T4 in seconds, and what RFC 3261 derives from them.

    The defaults are the RFC's. A test of a whole call may shorten them; a product should not.
    """

    t1: float = 0.5  # estimate of the round-trip time
    t2: float = 4.0  # longest interval between retransmissions of non-INVITE requests and INVITE responses
    t4: float = 5.0  # longest time a message stays in the network
    timeout: float = attrs.field(init=False)
    """64*T1: timers B, F, H, J, L and M."""
    trying_after: float = 0.2
    """How long the user agent may be silent before the INVITE server transaction says 100 (§17.2.1)."""

    @timeout.default
    def _make_timeout(self) -> float:
        return 64 * self.t1

    @property
    def d(self) -> float:
        """Timer D over an unreliable flow: at least 32 s (§17.1.1.2), scaled with T1 in tests."""
        return self.timeout
