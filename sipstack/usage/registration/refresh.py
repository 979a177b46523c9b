"""When a binding is refreshed."""

from __future__ import annotations

from sipstack.identifiers import Identifiers

RESERVE = 1 / 4
"""Of one attempt, which lasts 64*T1: the waits between attempts."""


def refresh_after(granted: float, attempt: float, identifiers: Identifiers) -> float:
    """The seconds after which a binding of ``granted`` seconds is refreshed; ``attempt`` is how long a
    REGISTER takes that is lost altogether: 64*T1, 32 s (Timer F).

    The rule: 75 to 90 % of the time, but early enough that two such attempts with the waits between them fit
    into what is left (72 s), and never before a third of the time. So a binding of 60 s is refreshed after 17
    to 20 s: one attempt may be lost in 32 s, and the next still has time for three retransmissions.

    At random within a sixth: many clients must not come back in step. Registrars cut off at the second.
    """
    latest = min(0.9 * granted, max(granted - attempt * (2 + RESERVE), granted / 3))
    return latest * identifiers.uniform(5 / 6, 1.0)
