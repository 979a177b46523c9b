"""Messages that belong to nothing: responses, ACKs, CANCELs and requests of dialogs that never existed."""

from __future__ import annotations

import random

from scapy.packet import Packet
from scapy.volatile import RandNum, RandString

from tests.live.attack import attack
from tests.live.attacker import Attacker, respond
from tests.live.sip import SipRequest, SipResponse, values

IN_DIALOG = ("BYE", "INVITE", "UPDATE", "INFO", "PRACK", "NOTIFY", "REFER", "MESSAGE", "OPTIONS", "PING")


def response(peer: Attacker, method: str, branch: str) -> SipResponse:
    """A 200 to a request that was never sent."""
    via = f"SIP/2.0/UDP {peer.target[0]}:{peer.target[1]};branch={branch};rport"
    made = respond(peer.request(method, Via=via, To="<sip:peer@127.0.0.2>;tag=t"))
    assert made is not None
    return made


async def test_floods_of_responses_and_acks_for_nothing_are_counted_and_ignored() -> None:
    random.seed(4)
    async with attack() as attacked:
        peer = attacked.peer()
        flood: list[Packet] = [peer.request("ACK") for _ in range(50)]
        flood += [peer.request("ACK", to_tag=str(RandString(8))) for _ in range(50)]
        for method in ("INVITE", "REGISTER", "BYE", "OPTIONS"):
            for status in (100, 180, 200, 302, 401, 407, 486, 503, 699):
                packets = [response(peer, method, f"z9hG4bK{RandString(20)}") for _ in range(5)]
                for packet in packets:
                    packet.status = str(status)
                flood += packets
        await peer.send_all(flood)
        assert await attacked.peer().is_answered()
        assert attacked.core.counters.unmatched == len(flood)
        assert attacked.core.counters.malformed == 0
        assert peer.datagrams == []


async def test_responses_to_a_request_of_ours_that_do_not_fit_it_are_ignored() -> None:
    async with attack() as attacked:
        peer = attacked.peer()

        def misfits(request: SipRequest) -> SipResponse | None:
            for change in ("branch", "method", "two Vias", "no Via"):
                peer.send(_misfit(request, change))
            return respond(request)

        peer.answer = misfits
        answer = await attacked.agent.options(f"sip:peer@{peer.host}:{peer.port}")
        assert (answer.status, answer.reason) == (200, "OK")
        assert attacked.core.counters.unmatched == 3
        assert attacked.core.counters.malformed == 1


def _misfit(request: SipRequest, change: str) -> SipResponse:
    made = respond(request, 404, change)
    assert made is not None
    via = next(field for field in made.headers if field.label == b"Via")
    if change == "branch":
        via.value = via.value.replace(b"z9hG4bK", b"z9hG4bKx")
    elif change == "method":
        next(field for field in made.headers if field.label == b"CSeq").value = b"1 INVITE"
    elif change == "two Vias":
        made.headers.insert(1, via.copy())
    else:
        made.headers.remove(via)
    return made


async def test_requests_of_dialogs_that_never_were_get_481() -> None:
    random.seed(6)
    async with attack() as attacked:
        peer = attacked.peer()
        requests = [
            peer.request(method, to_tag=str(RandString(8)), CSeq=f"{RandNum(0, 2**31 - 2)} {method}")
            for method in IN_DIALOG
        ]
        assert [await peer.ask(request) for request in requests] == [481] * len(IN_DIALOG)
        assert await peer.ask(peer.request("BYE")) == 481
        assert await peer.ask(peer.request("CANCEL")) == 481


async def test_a_cancel_that_fits_no_invite_or_comes_late_ends_nothing() -> None:
    async with attack() as attacked:
        peer = attacked.peer()
        invite = await peer.call()
        via, call_id = values(invite, "Via")[0], values(invite, "Call-ID")[0]
        assert await peer.ask(peer.request("CANCEL", Call_ID=call_id)) == 481
        # §9.2: no effect once the final response is sent
        assert await peer.ask(peer.request("CANCEL", Via=via, Call_ID=call_id)) == 200
        assert [call.id for call in attacked.agent.calls] == [call_id]
        assert await peer.ask(peer.in_dialog("BYE", invite)) == 200
        assert attacked.agent.calls == []
