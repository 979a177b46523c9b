"""What we receive of one peer: sequence validation, loss and jitter (RFC 3550 appendices A.1, A.3, A.8)."""

from __future__ import annotations

import enum
import math

from sipstack.rtp.bursts import Bursts
from sipstack.rtp.rtcp import ReportBlock

MAX_DROPOUT = 3000
"""A sequence number this far ahead is a restart, not a loss."""
MAX_MISORDER = 100
"""A sequence number this far behind is a restart, not reordering."""

SILENCE = 0.09
"""Seconds without a packet of the source that we listen to, before another one is listened to."""

JUMP = 0.5
"""Seconds between two packets' transit times that are no jitter: the sender has moved its timestamps."""


class Arrival(enum.Enum):
    """What to do with a packet."""

    ACCEPTED = enum.auto()
    RESTARTED = enum.auto()
    """Accept it, and forget what came before: another source, or the source has jumped."""
    REFUSED = enum.auto()
    """It does not follow from what came before; the next one may show that it does."""


class Source:
    """One SSRC as we receive it. The names are those of RFC 3550's ``source`` structure."""

    __slots__ = (
        "_bad_seq",
        "_base_seq",
        "_clock_rate",
        "_cycles",
        "_expected_prior",
        "_max_seq",
        "_received_prior",
        "_transit",
        "_whole_since",
        "bursts",
        "earlier_lost",
        "earlier_received",
        "heard_at",
        "jitter",
        "received",
        "ssrc",
    )

    def __init__(self, ssrc: int, sequence_number: int, clock_rate: int) -> None:
        self.ssrc = ssrc
        self.heard_at = 0.0
        """When its last packet arrived."""
        self.jitter = 0.0
        """Interarrival jitter in timestamp units (§6.4.1)."""
        self.received = 0
        """Packets since the (re)start; duplicates count."""
        self.earlier_received = self.earlier_lost = 0
        """Packets before the restart."""
        self._clock_rate = clock_rate
        self._begin(sequence_number)

    def _begin(self, sequence_number: int) -> None:
        self._base_seq = self._max_seq = sequence_number
        self._bad_seq: int | None = None
        self._cycles = 0
        self._whole_since = sequence_number  # the first after the last that was lost, with its cycles
        self.bursts = Bursts()
        """How losses lie since the (re)start."""
        self._transit: int | None = None
        self._received_prior = self._expected_prior = 0

    def _restart(self, sequence_number: int) -> None:
        self.earlier_received += self.received
        self.earlier_lost += self.lost
        self.received = 0
        self._begin(sequence_number)

    def use_clock(self, clock_rate: int) -> None:
        """Timestamps count at another rate from here on: jitter begins anew, what was counted stays."""
        self._clock_rate = clock_rate
        self._transit = None
        self.jitter = 0.0

    @property
    def expected(self) -> int:
        """Packets that the source sent since the (re)start, by its sequence numbers."""
        return self._cycles + self._max_seq - self._base_seq + 1

    @property
    def whole(self) -> int:
        """Packets since the last that was lost."""
        return self._cycles + self._max_seq - self._whole_since + 1

    @property
    def lost(self) -> int:
        """Expected less received: negative when duplicates outnumber losses."""
        return self.expected - self.received if self.received else 0

    def receive(self, sequence_number: int, timestamp: int, now: float) -> Arrival:
        """Count one packet (appendix A.1, without probation)."""
        arrival = self.count(sequence_number, now)
        if arrival is Arrival.REFUSED:
            return arrival
        transit = (int(now * self._clock_rate) - timestamp) & 0xFFFFFFFF
        if self._transit is not None:
            difference = (transit - self._transit) & 0xFFFFFFFF
            if difference > 0x7FFFFFFF:
                difference = 0x100000000 - difference
            if difference < JUMP * self._clock_rate:
                self.jitter += (difference - self.jitter) / 16
        self._transit = transit
        return arrival

    def is_close(self, sequence_number: int) -> bool:
        """Whether it is among the last packets, or the next."""
        return (sequence_number - self._max_seq + MAX_MISORDER) & 0xFFFF < 2 * MAX_MISORDER

    def count(self, sequence_number: int, now: float) -> Arrival:
        """Count one packet whose timestamp says nothing about its sending, as that of a telephone-event."""
        self.heard_at = now
        arrival = Arrival.ACCEPTED
        ahead = (sequence_number - self._max_seq) & 0xFFFF
        if ahead < MAX_DROPOUT:
            if ahead > 1:
                self.bursts.lost(self.whole, ahead - 1)
                self._whole_since = self._cycles + self._max_seq + ahead
            if sequence_number < self._max_seq:
                self._cycles += 0x10000
            self._max_seq = sequence_number
        elif ahead <= 0x10000 - MAX_MISORDER:
            if sequence_number != self._bad_seq:
                self._bad_seq = (sequence_number + 1) & 0xFFFF
                return Arrival.REFUSED
            # Two in a row: the other side restarted without telling us.
            self._restart(sequence_number)
            arrival = Arrival.RESTARTED
        self.received += 1
        return arrival

    def report(self, last_sr: int = 0, delay_since_last_sr: int = 0) -> ReportBlock:
        """The report block since the last one (appendix A.3)."""
        expected = self.expected - self._expected_prior
        lost = expected - (self.received - self._received_prior)
        self._expected_prior, self._received_prior = self.expected, self.received
        return ReportBlock(
            self.ssrc,
            min(max(lost, 0) * 256 // expected, 255) if expected > 0 else 0,
            max(-0x800000, min(self.lost, 0x7FFFFF)),
            (self._cycles + self._max_seq) & 0xFFFFFFFF,
            min(int(self.jitter), 0xFFFFFFFF),
            last_sr,
            delay_since_last_sr,
        )


class Reception:
    """The source that we listen to, and the totals over all that we listened to.

    The first source is believed at once, so that nothing of its first word is lost. Another SSRC takes over
    when the present one is silent, with its second packet in a row at the earliest (MIN_SEQUENTIAL of
    appendix A.1): of two that send at once one is heard, and stray packets do not disturb.
    """

    __slots__ = ("_candidate", "_candidate_next", "_lost", "_received", "clock_rate", "source")

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.source: Source | None = None
        """The source that we listen to; None before its first packet."""
        self._candidate: int | None = None
        self._candidate_next = 0
        self._received = self._lost = 0  # of the sources before this one

    def use_clock(self, clock_rate: int) -> None:
        """Timestamps count at another rate from here on, which is that of another codec."""
        self.clock_rate = clock_rate
        if self.source is not None:
            self.source.use_clock(clock_rate)

    @property
    def received(self) -> int:
        """Packets accepted, of all sources."""
        source = self.source
        return self._received + (source.earlier_received + source.received if source else 0)

    @property
    def lost(self) -> int:
        """Packets lost, of all sources."""
        source = self.source
        return self._lost + (source.earlier_lost + source.lost if source else 0)

    @property
    def jitter(self) -> float:
        """Interarrival jitter of the present source, in seconds."""
        return self.source.jitter / self.clock_rate if self.source else 0.0

    def receive(self, ssrc: int, sequence_number: int, timestamp: int, now: float) -> Arrival:
        """Count one packet that arrived at ``now``."""
        source = self.source
        if source is not None and source.ssrc == ssrc:
            return source.receive(sequence_number, timestamp, now)
        if source is not None and not (
            self._takes_over(ssrc, sequence_number) and now - source.heard_at >= SILENCE
        ):
            return Arrival.REFUSED
        self._received, self._lost = self.received, self.lost
        self.source = Source(ssrc, sequence_number, self.clock_rate)
        self.source.receive(sequence_number, timestamp, now)
        return Arrival.RESTARTED

    def count(self, ssrc: int, sequence_number: int, now: float) -> bool:
        """Count one packet that is not played, if it is of the source that we listen to and close to the
        others; tells if it is.
        """
        source = self.source
        if source is None or source.ssrc != ssrc or not source.is_close(sequence_number):
            return False
        source.count(sequence_number, now)
        return True

    def let_in(self) -> None:
        """Another source may follow without waiting: the peer is at another address."""
        if self.source is not None:
            self.source.heard_at = -math.inf

    def _takes_over(self, ssrc: int, sequence_number: int) -> bool:
        confirmed = ssrc == self._candidate and sequence_number == self._candidate_next
        self._candidate, self._candidate_next = ssrc, (sequence_number + 1) & 0xFFFF
        return confirmed
