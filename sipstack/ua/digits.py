"""Digits by SIP INFO: those that come go to the digits of their call, and ours are sent inside of it."""

from __future__ import annotations

from typing import Any

from sipstack.errors import CallEnded, SipError
from sipstack.log import CALL
from sipstack.media.audio import Audio
from sipstack.media.dtmf import Dtmf as Dtmf
from sipstack.media.dtmf import dtmf_of
from sipstack.media.port import MediaPort, audio_of
from sipstack.message import Request
from sipstack.ua.leg import Leg
from sipstack.ua.request import PendingRequest
from sipstack.ua.runtime import Runtime
from sipstack.usage.info import DigitReceived, InfoRequest, read_digit, write_digit
from sipstack.usage.invite.session import Session


class Digits:
    """Takes the digits of all calls of a user agent."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def read(self, request: Request, user: Any) -> DigitReceived:
        return DigitReceived(self, user, *read_digit(request))

    def _on_event(self, event: DigitReceived) -> None:
        if isinstance(event.user, Leg):
            event.user._informed(event.key, self._runtime.now() - event.duration, event.duration)


class Informing:
    """Sends digits in INFO requests of one call."""

    def __init__(self, runtime: Runtime, session: Session, media: MediaPort) -> None:
        self._runtime = runtime
        self._session = session
        self._media = media

    async def __call__(self, key: str, duration: float, *, plain: bool = False) -> None:
        if not self._session.is_established:
            raise CallEnded("local")
        usages = self._session.usages
        draft = usages.draft("INFO", *write_digit(key, duration, plain=plain))
        request = PendingRequest(self._runtime, InfoRequest(self._runtime.core, draft, usages))
        audio = audio_of(self._media)
        forget = audio.when_ended(lambda: request._abort("the call is over"))
        try:
            response = await request.response()
        except SipError:
            _check_ended(audio)
            raise
        finally:
            forget()
        _check_ended(audio)  # its answer may be that there is no call
        CALL.info("%s: INFO is answered with %s", self._session.dialog.call_id, response.status)
        response.raise_for_status()


def _check_ended(audio: Audio) -> None:
    if audio.ended is not None:
        raise CallEnded(audio.ended.by, audio.ended.reason) from None


def digits_of(media: MediaPort, runtime: Runtime, session: Session) -> Dtmf:
    """The digits of a call, which from now on can send INFO. Raises LocalProtocolError."""
    dtmf = dtmf_of(media)
    if dtmf.info is None and session.is_established:
        dtmf.info = Informing(runtime, session, media)
    return dtmf
