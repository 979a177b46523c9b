"""Telephone events (RFC 4733): keys that are pressed, as packets of their own, received and sent.

All packets of one press have the timestamp of its beginning; their duration grows until the end, which is
said three times.
"""

from __future__ import annotations

import math
import struct

import attrs

from sipstack.errors import ParseError
from sipstack.rtp.packet import RtpPacket
from sipstack.rtp.sender import Sender

KEYS = "0123456789*#ABCD!"
"""The keys by the codes of their events (§3.2): "!" is flash, the hook pressed for a moment."""
HANG = 0.2
"""Seconds without a packet after which a key counts as released: its ends are lost."""
ENDS = 3
"""Packets that tell the end (§2.5.1.4)."""
SEGMENT = 0xFFFF
"""The longest duration that a packet can tell; a press goes on in a further segment (§2.5.1.3)."""
RECENT = 5
"""Seconds by which an earlier timestamp is one that comes late; beyond it the sender counts anew."""
VOLUME = 10
"""Of the tones that our events stand for, in dB below 0 dBm0."""

_PAYLOAD = struct.Struct("!BBH")


@attrs.frozen
class TelephoneEvent:
    """One payload (§2.3). ``volume`` is in dB below 0 dBm0, ``duration`` in timestamp units."""

    code: int
    end: bool
    volume: int
    duration: int

    @classmethod
    def parse(cls, payload: bytes) -> TelephoneEvent:
        """The event of a payload; further ones behind it are not looked at. Raises ParseError."""
        if len(payload) < _PAYLOAD.size:
            raise ParseError(f"telephone-event of {len(payload)} octets")
        code, flags, duration = _PAYLOAD.unpack_from(payload)
        return cls(code, flags > 0x7F, flags & 0x3F, duration)

    def __bytes__(self) -> bytes:
        return _PAYLOAD.pack(self.code, self.end << 7 | self.volume, self.duration)


@attrs.frozen
class Press:
    """A key that was pressed at ``began`` for ``duration`` seconds."""

    key: str
    began: float
    duration: float


@attrs.define(eq=False)
class _Held:
    """A press, as far as its packets have come."""

    key: str
    ssrc: int
    timestamp: int  # of the present segment
    units: int  # in the present segment
    began: float
    heard_at: float
    earlier: int = 0  # units in segments before it
    told: bool = False
    ended: bool = False


class EventReceiver:
    """Makes presses of the packets of one payload type, whose timestamps count at ``clock_rate``.

    Each press is told once, when it is over, whatever is lost, late or repeated, as long as one of its
    packets comes. Call ``timeout`` at ``deadline``.
    """

    __slots__ = ("_clock_rate", "_held")

    def __init__(self, clock_rate: int) -> None:
        self._clock_rate = clock_rate
        self._held: _Held | None = None  # the latest, over or not

    @property
    def pressed(self) -> str | None:
        """The key that is down now."""
        held = self._held
        return None if held is None or held.told else held.key

    @property
    def deadline(self) -> float:
        """When ``timeout`` has to be called; infinite while no key is down."""
        held = self._held
        return math.inf if held is None or held.told else held.heard_at + HANG

    def timeout(self, now: float) -> list[Press]:
        """A key whose packets have ceased is released."""
        return self._finish() if now >= self.deadline else []

    def receive(self, packet: RtpPacket, now: float) -> list[Press]:
        """The presses that are over with this packet. What is no key is ignored."""
        try:
            event = TelephoneEvent.parse(packet.payload)
        except ParseError:
            return []
        if event.code >= len(KEYS):
            return []
        held = self._held
        if held is not None and held.ssrc == packet.ssrc:
            age = _signed(packet.timestamp - held.timestamp)
            if -RECENT * self._clock_rate < age < 0:
                return []  # of a press before this one
            if age == 0 or self._is_next_segment(held, packet, event, age):
                return self._go_on(held, packet.timestamp, event, now)
        return [*self._finish(), *self._begin(packet, event, now)]

    def _begin(self, packet: RtpPacket, event: TelephoneEvent, now: float) -> list[Press]:
        began = now - event.duration / self._clock_rate  # where the first packets are lost
        self._held = _Held(
            KEYS[event.code], packet.ssrc, packet.timestamp, event.duration, began, now, ended=event.end
        )
        return self._finish() if event.end else []

    def _go_on(self, held: _Held, timestamp: int, event: TelephoneEvent, now: float) -> list[Press]:
        if KEYS[event.code] != held.key:
            return []
        if timestamp != held.timestamp:
            held.earlier += (timestamp - held.timestamp) & 0xFFFFFFFF
            held.timestamp, held.units = timestamp, 0
        held.units = max(held.units, event.duration)
        held.heard_at = now
        held.ended = held.ended or event.end
        return self._finish() if event.end else []

    def _is_next_segment(self, held: _Held, packet: RtpPacket, event: TelephoneEvent, age: int) -> bool:
        """Whether a press of more than SEGMENT goes on here (§2.5.1.3): at once, and without a marker."""
        return (
            not held.ended
            and not packet.marker
            and KEYS[event.code] == held.key
            and held.units > SEGMENT // 2
            and 0 <= age - held.units <= HANG * self._clock_rate
            and age <= SEGMENT
        )

    def _finish(self) -> list[Press]:
        held = self._held
        if held is None or held.told:
            return []
        held.told = True
        return [Press(held.key, held.began, (held.earlier + held.units) / self._clock_rate)]


class EventSender:
    """The packets of one press, to be asked for each 20 ms in place of the audio, whose clock runs on.

    ``payload_type`` is the peer's for telephone-event at ``clock_rate``, which is that of the audio as well;
    ``duration`` is in seconds.
    """

    __slots__ = ("_code", "_earlier", "_ends", "_last", "_payload_type", "_period", "_start", "_total")

    def __init__(self, key: str, payload_type: int, clock_rate: int, duration: float) -> None:
        self._code = KEYS.index(key)
        self._payload_type = payload_type
        self._period = clock_rate // 50
        self._total = max(round(duration * clock_rate), 1)
        self._last = 0  # the duration told last, over all segments
        self._earlier = 0  # of the segments before the present one
        self._start: int | None = None
        self._ends = 0

    @property
    def done(self) -> bool:
        """Whether the last end has been sent."""
        return self._ends == ENDS

    def release(self) -> None:
        """The key is released now, before its time: the next packet is an end."""
        if self._start is None:
            self._ends = ENDS
        else:
            self._total = min(self._total, self._last)

    def packets(self, sender: Sender, periods: int) -> list[bytes]:
        """Those of this frame, after ``periods`` of 20 ms."""
        if self._start is None:
            sender.pause()  # the first packet is marked (§2.3.5)
            self._start, periods = sender.timestamp, 1
        passed = (sender.timestamp - self._start & 0xFFFFFFFF) + self._period * periods
        self._last = min(passed, self._total)
        made = []
        while self._last - self._earlier > SEGMENT:
            made.append(self._packet(sender, self._start + self._earlier, SEGMENT))
            self._earlier += SEGMENT
        self._ends += self._last == self._total
        made.append(self._packet(sender, self._start + self._earlier, self._last - self._earlier))
        if self.done:
            sender.pause()  # what is said from here on is a talkspurt of its own
        return made

    def _packet(self, sender: Sender, start: int, units: int) -> bytes:
        event = TelephoneEvent(self._code, self._ends > 0, VOLUME, units)
        return sender.packet(self._payload_type, bytes(event), sender.timestamp - start & 0xFFFFFFFF)


def _signed(difference: int) -> int:
    """The difference of two timestamps, which wrap at 32 bits."""
    return (difference + 0x80000000 & 0xFFFFFFFF) - 0x80000000
