"""How long nothing may be heard of the peer before it is taken for lost."""

from __future__ import annotations

import math
from collections.abc import Callable


def ignore(*_: object) -> None:
    """Nobody wants to know."""


class SilenceWatch:
    """Calls ``lost`` when neither RTP nor RTCP has come for ``timeout`` seconds (None: for ever): once, or
    each time that the peer falls silent ``again``.

    ``heard_at`` is set by whoever receives. ``due`` is when ``check`` has to be called next.
    """

    __slots__ = ("_again", "_began", "_is_told", "_lost", "_timeout", "due", "heard_at")

    def __init__(self, timeout: float | None, lost: Callable[[float], None], *, again: bool = False) -> None:
        self._timeout = timeout
        self._lost = lost
        self._again = again
        self._is_told = False
        self._began = 0.0
        self.heard_at = 0.0
        self.due = math.inf

    def begin(self, now: float) -> None:
        """From here on the peer should be heard. Beginning again gives it the whole time again."""
        self._began = now
        self.due = math.inf if self._timeout is None else now + self._timeout

    def end(self) -> None:
        """The peer may be silent: one side holds the other."""
        self.due = math.inf

    def close(self) -> None:
        """Tell nothing any more, and let go of who was to be told."""
        self._lost = ignore
        self.end()

    def stalled(self, now: float) -> None:
        """We have not run for a while, so what we did not hear tells nothing."""
        if self.due < math.inf:
            self.begin(now)

    def check(self, now: float) -> None:
        """Tell, if nothing was heard for so long."""
        if self._timeout is None:
            return
        silence = now - max(self.heard_at, self._began)
        if silence < self._timeout:
            self.due = now + self._timeout - silence
            self._is_told = False
            return
        self.due = now + self._timeout if self._again else math.inf
        if not self._is_told:
            self._is_told = self._again
            self._lost(silence)
