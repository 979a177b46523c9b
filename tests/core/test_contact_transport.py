"""The transport that a Contact names is followed within the dialog (RFC 3261 §12.2.1.1, RFC 3263 §4.1)."""

from __future__ import annotations

from sipstack.core.outputs import Target
from tests.core.by_hand import TCP, UDP, ByHand, flow

HOST = "198.51.100.1"
STREAM = Target("TCP", (HOST, 5070))


def test_the_ack_goes_over_the_transport_of_the_contact() -> None:
    alice = ByHand()
    alice.call(f"sip:bob@{HOST}")
    assert alice.last[0].transport == "UDP"
    alice.answer(flow(UDP, (HOST, 5060)), 200, f"sip:bob@{HOST}:5070;transport=tcp")
    assert alice.asked() == [STREAM]
    alice.core.flow_opened(STREAM, flow(TCP, STREAM.address), 0.1)
    assert alice.went() == [f"TCP 5070 ACK sip:bob@{HOST}:5070;transport=tcp SIP/2.0"]
    assert alice.request.via.transport == "TCP"
