"""When what others keep for us is refreshed: a binding, a subscription, a publication."""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.message import Response
from sipstack.message.grammar import number

RESERVE = 1 / 4
"""Of one attempt, which lasts 64*T1: the waits between attempts."""
LONGEST = 2**31
"""Seconds that anything may last."""


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


def longer_interval(response: Response, asked: int) -> int | None:
    """The seconds to ask for in place of ``asked``, of which a 423 says that they are too few (RFC 3261
    §10.2.8); None where it does not help.
    """
    try:
        text = response.headers.get("Min-Expires") if response.status == 423 else None
        minimum = None if text is None else number(text, 10**64, "number of seconds")
    except ParseError:
        return None
    return minimum if minimum is not None and asked < minimum < LONGEST else None
