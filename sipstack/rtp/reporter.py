"""The RTCP of a two-party session (RFC 3550 §6): when to report, what to say, what the peer tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sipstack.rtp import rtcp
from sipstack.rtp.extended_report import ExtendedReport, VoipMetrics
from sipstack.rtp.reception import Reception
from sipstack.rtp.sender import Sender

INTERVAL = 5.0
"""The minimum (§6.2): the bandwidth of a call with two parties would allow a report every half second."""
COMPENSATION = 2.71828 - 1.5
"""For the randomisation that lets the mean fall short of the interval (§6.3.1)."""


class Reporter:
    """Makes our reports and reads the peer's.

    NTP times are those of ``now``, not of the day: §4 allows a clock that only tells elapsed time.
    ``uniform(low, high)`` is the random source, ``cname`` should be random for each session (RFC 7022).
    """

    __slots__ = (
        "_cname",
        "_last_sr",
        "_last_sr_arrival",
        "_has_reported",
        "_packets_at_last_report",
        "_reception",
        "_sender",
        "_uniform",
        "deadline",
        "feedback",
        "metrics",
        "round_trip",
    )

    def __init__(
        self,
        sender: Sender,
        reception: Reception,
        cname: str,
        uniform: Callable[[float, float], float],
        now: float,
    ) -> None:
        self._sender = sender
        self._reception = reception
        self._cname = cname
        self._uniform = uniform
        self._packets_at_last_report = 0
        self._has_reported = False
        self._last_sr = 0
        self._last_sr_arrival = 0.0
        self.deadline = now + self._interval(INTERVAL / 2)
        """When the next report is due."""
        self.round_trip: float | None = None
        """Seconds; None until the peer has reported on what we sent."""
        self.feedback: rtcp.ReportBlock | None = None
        """What the peer said last of what we sent."""
        self.metrics: VoipMetrics | None = None
        """The same in more words, if it has them (RFC 3611)."""

    @property
    def is_known(self) -> bool:
        """Whether the peer may have heard of us: who has sent neither RTP nor RTCP says no BYE (§6.3.7)."""
        return self._has_reported or self._sender.packets > 0

    def report(self, now: float, metrics: VoipMetrics | None = None) -> bytes:
        """The report that is due: an SR when we sent since the last one, else an RR (§6.4), the CNAME, and
        the metrics, if there are any."""
        self.deadline = now + self._interval(INTERVAL)
        self._has_reported = True
        compound = self._compound(now)
        if metrics is not None:
            compound.append(ExtendedReport(self._sender.ssrc, (metrics,)))
        return rtcp.write(compound)

    def bye(self, now: float) -> bytes:
        """The last report, and BYE (§6.6)."""
        return rtcp.write([*self._compound(now), rtcp.Bye((self._sender.ssrc,))])

    def receive(self, packets: Iterable[rtcp.RtcpPacket], now: float) -> rtcp.Bye | None:
        """One compound of the peer; gives the BYE of the source that we listen to, if it has one."""
        bye = None
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                self._last_sr = packet.ntp_time >> 16 & 0xFFFFFFFF
                self._last_sr_arrival = now
            if isinstance(packet, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in packet.reports:
                    if block.ssrc == self._sender.ssrc:
                        self.feedback = block
                        self._measure_round_trip(block, now)
            elif isinstance(packet, ExtendedReport):
                ours = [each for each in packet.blocks if isinstance(each, VoipMetrics)]
                self.metrics = next((each for each in ours if each.ssrc == self._sender.ssrc), self.metrics)
            elif isinstance(packet, rtcp.Bye):
                source = self._reception.source
                bye = packet if source is not None and source.ssrc in packet.sources else bye
        return bye

    def _compound(self, now: float) -> list[rtcp.RtcpPacket]:
        sender, report = self._sender, self._report(now)
        reports = (report,) if report else ()
        head: rtcp.RtcpPacket = rtcp.ReceiverReport(sender.ssrc, reports)
        if sender.packets != self._packets_at_last_report:
            self._packets_at_last_report = sender.packets
            packets, octets = sender.packets & 0xFFFFFFFF, sender.octets & 0xFFFFFFFF
            head = rtcp.SenderReport(sender.ssrc, _ntp(now), sender.timestamp, packets, octets, reports)
        return [head, rtcp.SourceDescription((rtcp.Chunk(sender.ssrc, ((rtcp.CNAME, self._cname),)),))]

    def _report(self, now: float) -> rtcp.ReportBlock | None:
        source = self._reception.source
        if source is None:
            return None
        delay = int((now - self._last_sr_arrival) * 0x10000) & 0xFFFFFFFF if self._last_sr else 0
        return source.report(self._last_sr, delay)

    def _measure_round_trip(self, block: rtcp.ReportBlock, now: float) -> None:
        if not block.last_sr:
            return
        elapsed = ((_ntp(now) >> 16) - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
        if elapsed < 0x80000000:  # otherwise it is negative: the peer's clock and ours disagree, or it lies
            self.round_trip = elapsed / 0x10000

    def _interval(self, minimum: float) -> float:
        return minimum * self._uniform(0.5, 1.5) / COMPENSATION


def _ntp(now: float) -> int:
    """``now`` as 32.32 fixed point."""
    return int(now * 0x100000000) & 0xFFFFFFFFFFFFFFFF
