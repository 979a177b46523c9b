"""The digits of a call: one stream of those that the peer presses, whatever way they come, and ours to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol, Self, runtime_checkable

from sipstack.errors import CallEnded, LocalProtocolError, MediaError, RequestFailed
from sipstack.media.audio import Audio
from sipstack.media.inband import InbandDetection, play_tones
from sipstack.media.same_press import SamePress
from sipstack.rtp.telephone_event import KEYS, Press

Way = Literal["rtp", "info", "inband"]
"""RFC 4733, a SIP INFO request, tones in the audio."""
Inband = Literal["auto", "on", "off"]
SENDABLE = ("auto", "rtp", "info", "info-plain", "inband")

KEPT = 64
"""Digits that wait to be taken; then the oldest is lost."""
LONGEST = 60.0
"""Seconds of a press or a gap, at most."""


class Digit(str):
    """A key that the peer pressed: the text ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``, or ``!`` for flash.

    So ``digit == "1"`` and ``"".join(digits)`` are what one expects.
    """

    __slots__ = ("duration", "time", "way")

    time: float
    """When it was pressed, by the event loop's clock."""
    duration: float
    """Seconds that it was held, as far as the peer tells."""
    way: Way
    """How it came: by "rtp" (RFC 4733), "info" (a SIP request) or "inband" (tones)."""

    def __new__(cls, value: str, time: float, duration: float, way: Way) -> Self:
        digit = super().__new__(cls, value)
        digit.time, digit.duration, digit.way = time, duration, way
        return digit

    @property
    def value(self) -> str:
        """The key alone."""
        return str(self)

    def __repr__(self) -> str:
        return f"Digit({str(self)!r}, time={self.time:.3f}, duration={self.duration:.3f}, way={self.way!r})"


class Sending(Protocol):
    """A way of digits to the peer."""

    async def press(self, keys: str, duration: float, gap: float) -> None:
        """Press these keys one after the other. Cancelled, the present one is released."""

    @property
    def pressed(self) -> str | None:
        """The key that the peer has down now."""

    def end(self, ended: CallEnded) -> None:
        """The call is over."""


class Informing(Protocol):
    """Digits to the peer by requests of the call."""

    async def __call__(self, key: str, duration: float, *, plain: bool = False) -> None:
        """Send one key in an INFO, in a ``plain`` body without its duration. Raises RequestFailed when the
        peer does not take it.
        """


class Dtmf:
    """Iterate, or ``get``, for the digits that the peer presses; ``send`` presses keys here.

    A digit is told once it is over, and once, whatever ways it came: by RFC 4733, which counts most, SIP INFO
    or tones in the audio. Those that came before somebody asks are kept, 64 at most; then the oldest is lost.
    Tones are looked for once somebody asks for digits and RFC 4733 is not agreed on: so "auto", which is the
    same for a call that takes no digits as "off". One task at a time may ask.
    """

    def __init__(self, audio: Audio, inband: Inband = "auto") -> None:
        if inband not in ("auto", "on", "off"):
            raise MediaError(f"no such inband: {inband!r} (there are auto, on, off)")
        self._rtp: Sending | None = None
        self.info: Informing | None = None
        """SIP INFO: set by the call."""
        self._audio = audio
        self._inband = inband
        self._detection: InbandDetection | None = None
        self._known = SamePress()
        self._digits: deque[Digit] = deque(maxlen=KEPT)
        self._waiter: asyncio.Future[None] | None = None
        self._listeners: list[Callable[[Digit], None]] = []
        self._turn: asyncio.Lock | None = None  # made with the first digit that we send
        self._info_refused = False
        audio.when_ended(self._end)
        if inband == "on":
            self.detect()

    @property
    def rtp(self) -> Sending | None:
        """RFC 4733, where both sides have agreed on it: set by the media session."""
        return self._rtp

    @rtp.setter
    def rtp(self, sending: Sending | None) -> None:
        self._rtp = sending
        if sending is not None and self._inband == "auto":
            self._stop_detecting()

    # -- digits of the peer --------------------------------------------------------------------------------

    async def get(self) -> Digit:
        """The next digit, in the order they came. Raises CallEnded when the call ends without one."""
        if self._waiter is not None:
            raise LocalProtocolError("another task waits for the digits of this call")
        if self.rtp is None:
            self.detect()
        while not self._digits:
            self._check_ended()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._digits.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Digit:
        try:
            return await self.get()
        except CallEnded:
            raise StopAsyncIteration from None

    def pressed(self, press: Press, way: Way) -> None:
        """The peer has pressed a key: for media sessions and calls."""
        held = self.rtp.pressed if self.rtp is not None else None
        if self._audio.ended is None and not self._known.is_known(press, way, held):
            digit = Digit(press.key, press.began, press.duration, way)
            self._digits.append(digit)
            for listener in tuple(self._listeners):
                listener(digit)
            self._wake()

    def informed(self, key: str, began: float, duration: float) -> None:
        """The peer has pressed a key, and says so in a request: for calls."""
        self.pressed(Press(key, began, duration), "info")

    def when_pressed(self, listener: Callable[[Digit], None]) -> Callable[[], None]:
        """Call this with each digit, beside who asks for them. What it gives takes that back."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def detect(self) -> None:
        """Look for tones from now on, unless that is "off"."""
        if self._detection is None and self._inband != "off" and self._audio.ended is None:
            self._detection = InbandDetection(self._audio, lambda press: self.pressed(press, "inband"))

    def _stop_detecting(self) -> None:
        if self._detection is not None:
            self._detection.close()
            self._detection = None

    # -- digits of ours ------------------------------------------------------------------------------------

    async def send(
        self,
        digits: str,
        *,
        duration: float = 0.1,
        gap: float = 0.1,
        way: Way | Literal["auto", "info-plain"] = "auto",
    ) -> None:
        """Press keys for ``duration`` seconds each, ``gap`` seconds apart, and wait until that is done.

        ``digits`` are ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D`` and ``!`` for flash. "auto" is RFC 4733
        where it is agreed on, else INFO, and tones where the peer refuses INFO. "info" has a body of
        application/dtmf-relay, "info-plain" one of application/dtmf, which tells no duration: for peers that
        know no other. Tones sound in place of what is said or played; flash has none.

        Cancelled, it releases the key. While the call is on hold it waits. Raises MediaError when there is no
        such way in this call, RequestFailed when the peer refuses INFO that was asked for, CallEnded.
        """
        keys = _keys(digits)
        if not 0 < duration <= LONGEST or not 0 <= gap <= LONGEST:
            raise LocalProtocolError(f"duration and gap are seconds, {LONGEST:g} at the most")
        if way not in SENDABLE:
            raise LocalProtocolError(f"no such way: {way!r} (there are {', '.join(SENDABLE)})")
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            self._check_ended()
            if way == "rtp" or (way == "auto" and self.rtp is not None):
                await self._send_events(keys, duration, gap)
            elif way == "inband":
                await play_tones(self._audio, keys, duration, gap)
            else:
                await self._inform(keys, duration, gap, plain=way == "info-plain", or_tones=way == "auto")

    async def _send_events(self, keys: str, duration: float, gap: float) -> None:
        if self.rtp is None:
            raise MediaError("the peer has not agreed on telephone-event: send digits by INFO or in-band")
        await self.rtp.press(keys, duration, gap)

    async def _inform(self, keys: str, duration: float, gap: float, *, plain: bool, or_tones: bool) -> None:
        loop = asyncio.get_running_loop()
        for number, key in enumerate(keys):
            began = loop.time()
            if or_tones and (self.info is None or self._info_refused):
                await play_tones(self._audio, keys[number:], duration, gap)
                return
            if self.info is None:
                raise MediaError("there is no call yet that could send INFO")
            try:
                await self.info(key, duration, plain=plain)
            except RequestFailed:
                if not or_tones:
                    raise
                self._info_refused = True
                await play_tones(self._audio, keys[number:], duration, gap)
                return
            await asyncio.sleep(max(began + duration + gap - loop.time(), 0))

    # -- the end -------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """The call is over: who waits is told."""
        if self.rtp is not None:
            self.rtp.end(self._audio.ended or CallEnded("local"))
        self._stop_detecting()
        self.rtp = self.info = None  # they know us
        self._listeners.clear()
        self._wake()

    def _check_ended(self) -> None:
        ended = self._audio.ended
        if ended is not None:
            raise CallEnded(ended.by, ended.reason)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


@runtime_checkable
class DtmfMedia(Protocol):
    """Media whose peer can press keys."""

    @property
    def dtmf(self) -> Dtmf:
        """The digits: the same object for the whole call."""


def dtmf_of(media: object) -> Dtmf:
    """The digits of ``media``. Raises LocalProtocolError when it has none."""
    if not isinstance(media, DtmfMedia):
        raise LocalProtocolError("the media of this call has no digits")
    return media.dtmf


def _keys(digits: str) -> str:
    """The keys of a text. Raises LocalProtocolError."""
    keys = digits.upper()
    wrong = [key for key in keys if key not in KEYS]
    if wrong:
        raise LocalProtocolError(f"{wrong[0]!r} is no digit: there are 0 to 9, *, #, A to D, and ! for flash")
    return keys
