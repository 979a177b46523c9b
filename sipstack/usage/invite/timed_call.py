"""Session timers of either side (RFC 4028): a call whose other end is gone does not last for ever.

One side, the refresher, says at half time that it is still there: by UPDATE without a description where the
other allows it, else by a re-INVITE. Only a 2xx to such a request moves the end. The other side ends the call
when it has not heard one in time. Sections are those of the RFC.
"""

from __future__ import annotations

from typing import Any

from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import Refusal
from sipstack.errors import SipError, TransactionTimeout
from sipstack.message import Headers, Request, Response
from sipstack.message.headers import HeaderFields
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import (
    Action,
    Ask,
    CallExtension,
    Close,
    Extension,
    NewCall,
    Reinvite,
    Retry,
)
from sipstack.usage.invite.session_timer import BY, LEAST, TAG, SessionTimer, session_expires, timer_fields

SHORTEST = 10
"""Seconds: a peer that grants less does not mean it, and is not refreshed more often."""
ANSWER = 33.0
"""Seconds after which a refresh of ours has its answer, or is given up."""
PAUSE = 4.0
"""Seconds before a refresh that was refused for the moment goes out again, at the least."""
LOOK = 60.0
"""Seconds after which we look again at the latest. What is over by then is forgotten: many short calls would
otherwise leave as many entries among the deadlines, each for half an hour.
"""
MAXIMUM_RAISES = 3
"""How often one refresh is sent again because its interval is too small for somebody on the way."""


class TimedCall(CallExtension):
    """The session timer of one dialog."""

    name = TAG

    # here and not in __init__: each call makes one of us, and another for its dialog
    _supported = False  # by the other side
    _accepted = False
    _interval = 0  # agreed, or our own measure where the other side takes no part
    _refreshing = False  # by us
    _ends_at = NEVER
    _due_at = NEVER  # the next thing to do
    _waiting = False  # for the answer to a refresh
    _raises = 0

    def __init__(self, timer: SessionTimer, *, demanded: bool = False, is_caller: bool) -> None:
        self._timer = timer
        self._demanded = demanded  # in this call alone: our INVITE has to say so
        self._is_caller = is_caller
        self._minimum = timer.minimum  # ours, or more where somebody on the way has asked for more

    # -- requests of ours ----------------------------------------------------------------------------------

    def fork(self) -> TimedCall:
        part = TimedCall(self._timer, demanded=self._demanded, is_caller=self._is_caller)
        if self._raises:  # by 422: nothing else happens to one that has no dialog
            part._minimum, part._raises = self._minimum, self._raises
        return part

    def outgoing(self, method: str) -> HeaderFields:
        """§7.1, §7.4: our wish in the INVITE; from then on what is agreed, and who refreshes."""
        if self._interval:
            refresher = "uac" if self._refreshing else "uas"
            return timer_fields(max(self._interval, self._minimum), refresher, self._minimum)
        if method != "INVITE" and not self._accepted:
            return ()
        timer = self._timer
        demand: HeaderFields = (("Require", TAG),) if self._demanded else ()
        if self._minimum == timer.minimum:
            return (*timer.fields, *demand)
        return (*timer_fields(max(timer.expires, self._minimum), timer.asks_for, self._minimum), *demand)

    @property
    def _asked(self) -> int:
        return self._interval or self._timer.expires

    def answered(self, response: Response, now: float) -> Action | None:
        status = response.status
        if status < 200 or (method := response.cseq.method) not in ("INVITE", "UPDATE"):
            return None
        if status < 300:
            self._granted(response, method, now)
        elif status == 422 and self._raise_minimum(response):
            return Retry(self.outgoing(method))
        elif self._waiting and method == "UPDATE":
            return self._refused(response, now)
        return None

    def _granted(self, response: Response, method: str, now: float) -> None:
        """§7.2: what the 2xx says counts. One that says nothing switches the timer off; then we go on asking
        whether the other side is there, where the call is ours to look after.
        """
        headers = response.headers
        if self._waiting or self._raises:
            self._waiting, self._raises = False, 0
        if method == "INVITE":
            self._accepted = True
            self._hear_allow(headers)
        granted = headers.readable("Session-Expires") if "Session-Expires" in headers.index else None
        if granted is not None:
            self._begin(max(granted.interval, SHORTEST), now, refreshing=granted.refresher != "uas")
        elif self._is_caller or self._refreshing:
            self._look_after(now)
        else:
            self._interval, self._ends_at = 0, NEVER
            self._due(NEVER, now)

    def _raise_minimum(self, response: Response) -> bool:
        """§7.3: 422 names the least that somebody on the way takes."""
        least = response.headers.readable("Min-SE")
        if least is None or least.interval <= max(self._asked, self._minimum):
            return False
        self._minimum = least.interval
        self._raises += 1
        return self._raises <= MAXIMUM_RAISES

    def _refused(self, response: Response, now: float) -> Action | None:
        """Our refresh by UPDATE. Whoever wants no UPDATE, or none without a description, gets a re-INVITE."""
        status, outcome = response.status, f"{response.status} {response.reason}"
        self._waiting = False
        if status == 481:
            return Close("remote", outcome)
        if status == 408:
            return Close(BY, f"no answer to our refresh: {outcome}")
        seconds = retry_after(response)
        if status == 491 or (status in (500, 503) and seconds is not None):
            self._try_again(seconds or 0.0, now)
            return None
        self.takes_update = False
        return Reinvite()

    def failed(self, error: SipError, now: float) -> Action | None:
        """Our refresh by UPDATE has no answer (§10)."""
        self._waiting = False
        if isinstance(error, TransactionTimeout):
            return Close(BY, f"no answer to our refresh: {error}")
        self._try_again(0.0, now)
        return None

    # -- requests of the peer ------------------------------------------------------------------------------

    def refusal(self, request: Request) -> Refusal | None:
        """§9: only who supports it understands 422. For others a proxy has asked: it gets what it asks."""
        asked = request.headers.readable("Session-Expires")
        if asked is None or asked.interval >= self._timer.minimum or not self._is_supported(request):
            return None
        return 422, (("Min-SE", self._timer.minimum),)

    def answering(
        self, request: Request, status: int, now: float, *, described: bool = False, wish: Any = None
    ) -> HeaderFields:
        """§9: an interval not above what is asked, and the refresher by table 2. A request that asks for
        nothing leaves a running timer on.
        """
        if status < 200 or not (self._accepted or request.method == "INVITE"):
            return ()
        if wish is not None:
            self._timer, self._minimum = wish, max(wish.minimum, self._minimum)
        headers, self._accepted, self._supported = request.headers, True, self._is_supported(request)
        self._hear_allow(headers)
        asked = headers.readable("Session-Expires")
        if "Min-SE" in headers and (least := headers.readable("Min-SE")) is not None:
            self._minimum = max(self._minimum, least.interval)
        if asked is None and not self._supported and self._ends_at == NEVER:
            if self._interval:
                self._look_after(now)  # and for now it is there
            return ()
        interval = max(self._timer.expires, self._minimum)
        if asked is not None:
            interval = max(min(interval, asked.interval), SHORTEST)
        refresher = self._elected(None if asked is None else asked.refresher)
        self._begin(interval, now, refreshing=refresher == "uas")
        field = ("Session-Expires", session_expires(interval, refresher))
        return (field, ("Require", TAG)) if self._supported else (field,)

    def _elected(self, asked: str | None) -> str:
        if not self._supported:
            return "uas"
        if asked in ("uac", "uas"):
            return asked
        if self._interval:
            return "uas" if self._refreshing else "uac"
        return "uas" if self._timer.refresher == "local" else "uac"

    def _is_supported(self, request: Request) -> bool:
        """A short UPDATE need not say it again."""
        return self._supported or TAG in request.headers.readable("Supported")

    def _hear_allow(self, headers: Headers) -> None:
        allow = headers.get("Allow")  # as text: every call comes by here
        if allow is not None:
            self.takes_update = "UPDATE" in allow

    # -- time ----------------------------------------------------------------------------------------------

    def _begin(self, interval: int, now: float, *, refreshing: bool) -> None:
        """§10: we refresh at half time; or say BYE a little before the end, when the other side has not."""
        self._interval, self._refreshing, self._ends_at = interval, refreshing, now + interval
        margin = interval / 2 if refreshing else min(32.0, interval / 3)
        self._due(self._ends_at - margin, now)

    def _due(self, moment: float, now: float) -> None:
        self._due_at = moment
        look = now + LOOK
        self.deadline = look if look < moment < NEVER else moment

    def _look_after(self, now: float) -> None:
        """The other side takes no part: nothing ends the call but that it knows it no more, or is gone."""
        self._interval, self._refreshing, self._ends_at = self._asked, True, NEVER
        self._due(now + self._interval / 2, now)

    @property
    def needed_at(self) -> float:
        return 0.0 if self._waiting else self._due_at

    def timeout(self, now: float) -> Close | Ask | Reinvite | None:
        if now < self._due_at:
            self._due(self._due_at, now)
            return None
        if not self._refreshing:
            return Close(BY, f"the other side has not refreshed the session of {self._interval} s")
        if now >= self._ends_at:
            return Close(BY, f"the session of {self._interval} s could not be refreshed")
        self._waiting = True
        if self._ends_at == NEVER:
            self._due(now + self._interval / 2, now)
        else:
            self._due(min(self._ends_at, max(now + ANSWER, (now + self._ends_at) / 2)), now)
        if self.takes_update:
            return Ask("UPDATE", self.outgoing("UPDATE"), refreshes=True)
        return Reinvite()

    def _try_again(self, seconds: float, now: float) -> None:
        if self._ends_at < NEVER:
            self._due(min(self._due_at, now + max(seconds, PAUSE)), now)

    # -- another process -----------------------------------------------------------------------------------

    def record(self, now: float) -> dict[str, object]:
        if not self._interval:
            return {}
        left = None if self._ends_at == NEVER else int(self._ends_at - now)
        return {
            "interval": self._interval,
            "left": left,
            "refreshing": self._refreshing,
            "minimum": self._minimum,
            "supported": self._supported,
            "updates": self.takes_update,
        }

    def restore(self, record: dict[str, object], now: float) -> None:
        """What is due is done at once; a refresher tries, even when it is late."""
        self._accepted = True
        interval, left, minimum = (record.get(name) for name in ("interval", "left", "minimum"))
        if type(interval) is not int or interval <= 0:
            return
        self._interval = interval
        if type(minimum) is int:
            self._minimum = max(minimum, LEAST)
        self._supported, self.takes_update = record.get("supported") is True, record.get("updates") is True
        if not isinstance(left, int | float):
            self._look_after(now)
            return
        self._begin(interval, now - (interval - left), refreshing=record.get("refreshing") is True)
        if self._refreshing:
            self._ends_at = max(self._ends_at, now + ANSWER)
        self._due(max(self._due_at, now), now)


def session_timer(timer: SessionTimer) -> Extension:
    """The registration. The wish of a call is a ``SessionTimer`` in place of ``timer``."""

    def begin(call: NewCall) -> TimedCall | None:
        chosen, invite = call.wish or timer, call.invite
        if invite is None:
            demanded = chosen.required and not timer.required
            return TimedCall(chosen, demanded=demanded, is_caller=call.is_caller)
        if "Session-Expires" in invite.headers or TAG in invite.headers.readable("Supported"):
            return TimedCall(chosen, is_caller=False)
        return None

    return Extension(TAG, begin, required=timer.required)
