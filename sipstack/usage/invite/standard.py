"""The extensions of INVITE that every user agent has: each in a file of its own, and a line here."""

from __future__ import annotations

from sipstack.transaction.timers import Timers
from sipstack.usage.invite.expiring_call import expiry
from sipstack.usage.invite.expiry import Expiry
from sipstack.usage.invite.extension import Extension
from sipstack.usage.invite.reliable import reliable
from sipstack.usage.invite.session_timer import SessionTimer
from sipstack.usage.invite.timed_call import session_timer
from sipstack.usage.invite.update import update


def standard_extensions(
    timers: Timers,
    *,
    reliable_responses: bool | None = None,
    timer: SessionTimer | None = None,
    expires: Expiry | None = None,
) -> tuple[Extension, ...]:
    """In the order in which they take part. ``reliable_responses``, ``timer``, ``expires``: see
    ``UserAgent``.
    """
    extensions = [update()]
    if reliable_responses is not False:
        extensions.insert(0, reliable(timers, required=bool(reliable_responses)))
    if timer is not None:
        extensions.append(session_timer(timer))
    if expires is not None:
        extensions.append(expiry(expires))
    return tuple(extensions)
