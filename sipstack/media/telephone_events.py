"""Digits as RTP packets of their own (RFC 4733) in one call."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from functools import partial

from sipstack.errors import CallEnded, MediaError, SipError
from sipstack.media.dtmf import Dtmf
from sipstack.media.io import FRAMES_PER_SECOND
from sipstack.media.speaking import Speaking
from sipstack.media.stream import AudioStream, Beside
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sender import Sender
from sipstack.rtp.telephone_event import ENDS, EventReceiver, EventSender, Press
from sipstack.sdp import Agreement, Codec

NUMBER = 101
"""The payload type that everybody uses."""


def describe_events(clock_rate: int) -> Codec:
    """All keys, and flash, at the clock of a codec (RFC 4733 §2.4.1)."""
    return Codec(NUMBER, "telephone-event", clock_rate, 1, "0-16")


class TelephoneEvents:
    """Receives and sends them; ``dtmf`` gets what is received, and sends by it once it is agreed on."""

    def __init__(self, dtmf: Dtmf) -> None:
        self._dtmf = dtmf
        self._receivers: dict[int, EventReceiver] = {}  # by clock rate
        self._timer: asyncio.TimerHandle | None = None
        self._speaking: Speaking | None = None
        self._dialling: Dialling | None = None
        self._ended = False
        self.codec: Codec | None = None
        """As the peer describes it, once it is agreed on."""

    def receiver(self, codec: Codec) -> Beside:
        rate = codec.clock_rate
        if rate not in self._receivers:
            self._receivers[rate] = EventReceiver(rate)
        return partial(self._receive, self._receivers[rate])

    def agree(self, agreement: Agreement | None, stream: AudioStream) -> None:
        self._speaking = stream.speaking
        self.codec = agreement.telephone_event if agreement is not None else None
        self._dtmf.rtp = self if self.codec is not None else None
        if self.codec is None and self._dialling is not None:
            self._dialling.fail(MediaError("the peer does not take telephone-event any more"))

    async def press(self, keys: str, duration: float, gap: float) -> None:
        assert self._speaking is not None
        dialling = self._dialling = Dialling(self, keys, duration, gap)
        self._speaking.insert(dialling)
        try:
            await dialling.finished
        except asyncio.CancelledError:
            dialling.release()
            raise
        finally:
            self._dialling = None

    @property
    def pressed(self) -> str | None:
        held = [receiver.pressed for receiver in self._receivers.values()]
        return next((key for key in held if key is not None), None)

    def end(self, ended: CallEnded) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._dialling is not None:
            self._dialling.fail(CallEnded(ended.by, ended.reason))
        self._ended = True
        self._speaking = None

    def _receive(self, receiver: EventReceiver, packet: RtpPacket, now: float) -> None:
        if not self._ended:
            self._tell(receiver.receive(packet, now))
            if self._timer is None:
                self._wait()

    def _wait(self) -> None:
        """One timer for a key, however many packets it has."""
        deadline = min(receiver.deadline for receiver in self._receivers.values())
        if deadline < math.inf:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        for receiver in self._receivers.values():
            self._tell(receiver.timeout(asyncio.get_running_loop().time()))
        self._wait()  # when more packets came meanwhile

    def _tell(self, presses: list[Press]) -> None:
        for press in presses:
            self._dtmf.pressed(press, "rtp")


class Dialling:
    """Keys one after the other, in place of the audio."""

    def __init__(self, events: TelephoneEvents, keys: str, duration: float, gap: float) -> None:
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done = not keys
        self._events = events
        self._keys = deque(keys)
        self._duration = duration
        # The second and the third end are in the gap.
        self._gap = max(round(gap * FRAMES_PER_SECOND) - (ENDS - 1), 0)
        self._left = 0  # of the gap
        self._pressing: EventSender | None = None
        if self.done:
            self.finished.set_result(None)

    def packets(self, sender: Sender, periods: int) -> list[bytes]:
        if self._left > 0:
            self._left -= periods
            packets = []
        else:
            self._pressing = self._pressing or self._next()
            packets = self._pressing.packets(sender, periods) if self._pressing is not None else []
            if self._pressing is not None and self._pressing.done:
                self._pressing, self._left = None, self._gap
        if self._pressing is None and self._left <= 0 and not self._keys:
            self._finish(None)
        return packets

    def release(self) -> None:
        """No more keys; the one that is down is released."""
        self._keys.clear()
        self._left = 0
        if self._pressing is not None:
            self._pressing.release()
            if not self._pressing.done:
                return
        self.done = True

    def fail(self, error: SipError) -> None:
        """It cannot go on."""
        self._finish(error)

    def _next(self) -> EventSender | None:
        codec = self._events.codec
        if self.done or codec is None:
            return None
        return EventSender(self._keys.popleft(), codec.payload_type, codec.clock_rate, self._duration)

    def _finish(self, error: SipError | None) -> None:
        self.done = True
        if self.finished.done():
            return
        if error is None:
            self.finished.set_result(None)
        else:
            self.finished.set_exception(error)
