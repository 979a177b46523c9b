"""Calls in which nothing is heard and nothing asked: they end by themselves, where that is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipstack.media.port import MediaPort
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.expiring_call import ExpiringCall
from sipstack.usage.invite.expiry import BY, NAME
from sipstack.usage.invite.session import Session

LOOKS = 4
"""How often it is looked for signs of the peer in the time that a call may be idle."""


class Idleness:
    """Calls ``end`` once there was neither an RTP packet nor a request of the peer for ``seconds``."""

    def __init__(
        self,
        runtime: Runtime,
        session: Session,
        media: MediaPort,
        seconds: float,
        end: Callable[[str, str], None],
    ) -> None:
        self._runtime = runtime
        self._session = session
        self._media = media
        self.seconds = seconds
        self._end = end
        self._seen = self._signs()
        self._looks = 0
        self._timer = self._next()

    def _next(self) -> asyncio.TimerHandle:
        return self._runtime.loop.call_later(self.seconds / LOOKS, self._look)

    def stop(self) -> None:
        """The call is over."""
        self._timer.cancel()

    def _signs(self) -> tuple[int | None, int]:
        """They are others once something has come: each request counts CSeq up (RFC 3261 §12.2.1.1)."""
        audio = self._media.audio
        packets = 0 if audio is None else audio.statistics.packets_received
        return self._session.dialog.remote_cseq, packets

    def _look(self) -> None:
        signs = self._signs()
        self._looks = self._looks + 1 if signs == self._seen else 0
        self._seen = signs
        if self._looks < LOOKS:
            self._timer = self._next()
        else:
            self._end(BY, f"nothing heard and no request for {self.seconds:g} s")


def idleness_of(
    runtime: Runtime, session: Session, media: MediaPort, end: Callable[[str, str], None]
) -> Idleness | None:
    """None where the call may be idle for as long as it likes."""
    part = session.extensions.find(NAME) if session.extensions is not None else None
    if not isinstance(part, ExpiringCall) or part.idle is None:
        return None
    return Idleness(runtime, session, media, part.idle, end)
