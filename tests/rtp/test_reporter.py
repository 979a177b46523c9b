"""RFC 3550 §6: two reporters that talk to each other, and what they make of lies."""

from __future__ import annotations

import pytest

from sipstack.rtp import rtcp
from sipstack.rtp.reception import Reception
from sipstack.rtp.reporter import Reporter
from sipstack.rtp.rtcp import Bye, Chunk, ReceiverReport, ReportBlock, SenderReport, SourceDescription
from sipstack.rtp.sender import Sender


def _middle(low: float, high: float) -> float:
    return (low + high) / 2


class Party:
    """A sender and what it received, with its reporter."""

    def __init__(self, ssrc: int, now: float = 0.0) -> None:
        self.sender = Sender(ssrc, 0, 1000 * ssrc)
        self.reception = Reception(8000)
        self.reporter = Reporter(self.sender, self.reception, f"cname {ssrc}", _middle, now)

    def send(self, to: Party, count: int) -> None:
        """Packets that arrive exactly in time."""
        for place in range(count):
            number, timestamp = self.sender.sequence_number, self.sender.timestamp
            self.sender.packet(0, bytes(160))
            self.sender.advance(160)
            to.reception.receive(self.sender.ssrc, number, timestamp, place * 0.02)


def _description(ssrc: int) -> SourceDescription:
    return SourceDescription((Chunk(ssrc, ((rtcp.CNAME, f"cname {ssrc}"),)),))


def test_who_sent_and_received_nothing_reports_that() -> None:
    assert rtcp.parse(Party(1).reporter.report(3.0)) == (ReceiverReport(1), _description(1))


def test_who_only_receives_sends_a_receiver_report() -> None:
    alice, bob = Party(1), Party(2)
    alice.send(bob, 5)
    assert rtcp.parse(bob.reporter.report(3.0)) == (
        ReceiverReport(2, (ReportBlock(1, 0, 0, 4, 0),)),
        _description(2),
    )


def test_who_sent_since_the_last_report_sends_a_sender_report() -> None:
    alice, bob = Party(1), Party(2)
    alice.send(bob, 5)
    assert rtcp.parse(alice.reporter.report(3.5)) == (
        SenderReport(1, 0x3_8000_0000, 1000 + 5 * 160, 5, 800),
        _description(1),
    )
    assert rtcp.parse(alice.reporter.report(8.0)) == (ReceiverReport(1), _description(1))


def test_the_round_trip_is_measured_with_the_peer_s_delay_taken_out() -> None:
    """§6.4.1 figure 2: an SR arrives 30 ms later, is answered after 2 s, and that takes 20 ms."""
    alice, bob = Party(1), Party(2)
    alice.send(bob, 1)
    report = alice.reporter.report(10.0)
    bob.reporter.receive(rtcp.parse(report), 10.03)
    answer = bob.reporter.report(12.03)
    alice.reporter.receive(rtcp.parse(answer), 12.05)
    assert alice.reporter.round_trip == pytest.approx(0.05, abs=1e-4)
    assert bob.reporter.round_trip is None


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(ReportBlock(1, 0, 0, 0, 0), id="no SR received"),
        pytest.param(ReportBlock(99, 0, 0, 0, 0, 5 << 16, 0), id="another source"),
        pytest.param(ReportBlock(1, 0, 0, 0, 0, 11 << 16, 0), id="an SR of the future"),
        pytest.param(ReportBlock(1, 0, 0, 0, 0, 5 << 16, 6 << 16), id="held longer than it took"),
    ],
)
def test_a_round_trip_that_cannot_be_is_ignored(block: ReportBlock) -> None:
    alice = Party(1)
    alice.reporter.receive((ReceiverReport(2, (block,)),), 10.0)
    assert alice.reporter.round_trip is None


def test_goodbye_is_a_last_report_and_bye() -> None:
    assert rtcp.parse(Party(1).reporter.bye(3.0)) == (ReceiverReport(1), _description(1), Bye((1,)))


def test_reports_come_each_five_seconds_the_first_after_half_of_it() -> None:
    """§6.2 and §6.3.1; the mean of the randomisation, 1, is divided by e - 3/2."""
    alice = Party(1, now=100.0)
    assert alice.reporter.deadline == pytest.approx(100.0 + 2.5 / 1.21828)
    alice.reporter.report(110.0)
    assert alice.reporter.deadline == pytest.approx(110.0 + 5.0 / 1.21828)
