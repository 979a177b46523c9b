"""Which refusals of a request inside of a dialog say "not now", and when it may go out again: the one place
(sections are those of RFC 3261).

| refusal | the request goes out again | who does it |
|---|---|---|
| 491 | the owner of the Call-ID after 2.1 to 4 s, the other side after 0 to 2 s (§14.1) | its usage |
| 500, 503 with Retry-After | after as many seconds, unless they are too many (§14.2, §20.33) | its usage |
| 401, 407 | at once, with credentials (§22.2) | `ClientRequest`, for every request |
| 422 and others that name what they lack | at once, with what an extension adds (`Retry`) | its usage |
| 423 | at once, with the interval that it names (§10.2.8): REGISTER only | `RegistrationUsage` |

408 and 481 end the usage; every other refusal is told to the user, and the session stays as it was.
"""

from __future__ import annotations

from sipstack.errors import ParseError
from sipstack.identifiers import Identifiers
from sipstack.message import Response
from sipstack.message.headers import HeaderFields
from sipstack.message.times import RetryAfter

MAXIMUM_TRIES = 10
"""How often one wish of the user goes out in all: a peer may refuse for ever."""
MAXIMUM_WAIT = 32.0
"""Seconds that it waits for one more try at most: a user would rather know. §14.2 draws 10 at most."""

RETRY_AFTER: HeaderFields = (("Retry-After", "10"),)
"""Of a 503 of ours: seconds after which the peer may try again."""


def retry_after(response: Response) -> float | None:
    """The seconds that the peer wants to be left alone; None when it does not say."""
    text = response.headers.get("Retry-After")
    try:
        return None if text is None else RetryAfter.parse(text).seconds
    except ParseError:
        return None


def wait_before_retry(
    response: Response, tries: int, identifiers: Identifiers, *, owns_call_id: bool
) -> float | None:
    """The seconds until a request may go out again that was refused so, after ``tries`` before it; None when
    it may not.
    """
    if tries + 1 >= MAXIMUM_TRIES:
        return None
    if response.status == 491:
        return glare_wait(identifiers, owns_call_id=owns_call_id)
    seconds = retry_after(response) if response.status in (500, 503) else None
    if seconds is None or seconds > MAXIMUM_WAIT:
        return None
    # "Retry-After: 0" comes from peers that still wait for our ACK: each try leaves them more time
    return max(seconds, min(0.1 * 2.0**tries, 4.0))


def glare_wait(identifiers: Identifiers, *, owns_call_id: bool) -> float:
    """§14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in units of 10 ms."""
    low, high = (2.1, 4.0) if owns_call_id else (0.0, 2.0)
    return round(identifiers.uniform(low, high), 2)
