"""What the peer says of what it gets from us (RTCP), and whether it asks for more than that."""

from __future__ import annotations

from sipstack.media.audio import PeerReport
from sipstack.rtp.reporter import Reporter
from sipstack.sdp import Agreement


def peer_report(reporter: Reporter, clock_rate: int) -> PeerReport | None:
    """The last report, on a stream of this clock rate; None before there is one."""
    block, metrics = reporter.feedback, reporter.metrics
    if block is None:
        return None
    loss, jitter = block.fraction_lost / 256, block.jitter / clock_rate
    if metrics is None:
        return PeerReport(loss, block.cumulative_lost, jitter)
    # A score of 1 to 5 is told by 10 to 50: whatever else there is, it is none.
    score = metrics.mos_cq / 10 if 10 <= metrics.mos_cq <= 50 else None
    return PeerReport(loss, block.cumulative_lost, jitter, score, metrics.discard_rate / 256)


def wants_metrics(agreement: Agreement) -> bool:
    """Whether the peer's description asks for VoIP metrics (RFC 3611 §5.1)."""
    return any("voip-metrics" in value.split() for value in agreement.attribute_values("rtcp-xr"))
