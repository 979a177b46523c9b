"""Calls that end by themselves: what the application chooses."""

from __future__ import annotations

import attrs

from sipstack.errors import LocalProtocolError

NAME = "expiry"
"""Of the extension, and under which it stands in the record of a session."""
BY = "expired"
"""Who has ended such a call, as ``CallEnded.by``."""


@attrs.frozen(kw_only=True)
class Expiry:
    """After how many seconds a call ends by itself: with BYE, and ``CallEnded.by`` is "expired".

    ``age``: since its answer, whatever happens in it. ``idle``: since the last RTP packet or request of the
    peer; it is looked at four times in that time, so it may be a quarter more. A peer on hold sends nothing:
    give a call longer than it may be held. None is never. Raises LocalProtocolError for what is not above 0.

    A call that is taken over by another process has the age left that it had. Who ends calls, after what:

    =============================  ===========================================  =======  ===============
    what                           a call                                       default  by
    =============================  ===========================================  =======  ===============
    ``SessionTimer``               that nobody refreshes by signalling          1800 s   "session timer"
    ``AudioSession(timeout=)``     whose peer sends neither RTP nor RTCP, but   30 s     "timeout"
                                   not while one side holds the other
    ``Limits(age=)``               that a policy accepted, so that nobody       12 h     "timeout"
                                   watches it, without a re-INVITE meanwhile
    ``Expiry(idle=)``              in which nothing is heard and asked          never    "expired"
    ``Expiry(age=)``               that has lasted so long                      never    "expired"
    ``Authentication``             none: but a refresh that does not prove its  never
    ``(again_after=)``             user gets 401, and the session timer goes on
    =============================  ===========================================  =======  ===============
    """

    idle: float | None = None
    age: float | None = None

    def __attrs_post_init__(self) -> None:
        for name, seconds in (("idle", self.idle), ("age", self.age)):
            if seconds is not None and not seconds > 0:
                raise LocalProtocolError(f"a call cannot end after {seconds!r} s: {name} is above 0, or None")
