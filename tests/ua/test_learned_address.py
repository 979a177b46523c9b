"""``advertise="auto"``: the address that a registrar's answers tell, and when it is believed (RFC 3581)."""

from __future__ import annotations

import pytest

from sipstack import UserAgent
from sipstack.message import Response, parse
from sipstack.testing.loopback import Loopback
from sipstack.testing.registrar import ScriptedRegistrar
from sipstack.ua.learned_address import APART, LearnedAddress, Verdict, is_public, seen_at

BOUND, PUBLIC, OTHER = ("10.0.0.7", 5060), ("203.0.113.9", 41000), ("203.0.113.9", 41001)
LOCAL = "udp:127.0.0.1:0"
KEEP, ASK, MOVE = Verdict.KEEP, Verdict.ASK, Verdict.MOVE


def answer(via: str) -> Response:
    text = (
        f"SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\nCall-ID: x\r\n"
        "CSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
    )
    response = parse(text.encode())
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(
    ("parameters", "seen"),
    [
        (";received=203.0.113.9;rport=41000", PUBLIC),
        (";rport=41000;received=[2001:db8::9]", ("2001:db8::9", 41000)),
        (";rport=41000", ("10.0.0.7", 41000)),
        (";received=203.0.113.9", None),
        (";received=203.0.113.9;rport", None),
        (";received=203.0.113.9;rport=0", None),
        (";received=203.0.113.9;rport=65536", None),
        (f";received=203.0.113.9;rport={'9' * 5000}", None),
        (";received=pbx.test;rport=41000", None),
    ],
)
def test_what_an_answer_says(parameters: str, seen: tuple[str, int] | None) -> None:
    assert seen_at(answer(f"SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bK1{parameters}")) == seen


def test_the_first_answer_is_believed() -> None:
    assert LearnedAddress().judge(PUBLIC, BOUND, 0.0) is MOVE


def test_without_a_nat_nothing_changes() -> None:
    assert LearnedAddress().judge(BOUND, BOUND, 0.0) is KEEP


def test_a_later_change_needs_two_answers_that_agree() -> None:
    learned = LearnedAddress()
    learned.judge(PUBLIC, BOUND, 0.0)
    assert learned.judge(PUBLIC, PUBLIC, 1.0) is KEEP
    assert learned.judge(OTHER, PUBLIC, 100.0) is ASK
    assert learned.judge(OTHER, PUBLIC, 100.1) is MOVE


def test_one_answer_that_is_taken_back_changes_nothing() -> None:
    learned = LearnedAddress()
    learned.judge(PUBLIC, PUBLIC, 0.0)
    assert learned.judge(OTHER, PUBLIC, 100.0) is ASK
    assert learned.judge(PUBLIC, PUBLIC, 100.1) is KEEP
    assert learned.judge(OTHER, PUBLIC, 200.0) is ASK


def test_a_nat_that_gives_each_request_another_port_makes_no_storm() -> None:
    learned = LearnedAddress()
    verdicts = []
    advertised = BOUND
    for second in range(300):
        seen = ("203.0.113.9", 41000 + second)
        verdict = learned.judge(seen, advertised, float(second))
        verdicts.append(verdict)
        advertised = seen if verdict is MOVE else advertised
    assert verdicts.count(MOVE) == 1  # no two agree
    assert verdicts[: int(APART)].count(ASK) == 0


def test_never_from_a_public_address_to_a_private_one() -> None:
    assert LearnedAddress().judge(("192.168.1.4", 5060), PUBLIC, 0.0) is KEEP


@pytest.mark.parametrize("host", ["10.0.0.1", "192.168.0.1", "100.64.3.2", "127.0.0.1", "fd00::1", "fe80::1"])
def test_what_is_private(host: str) -> None:
    assert not is_public(host)


@pytest.mark.parametrize("host", ["8.8.8.8", "2a00:1450::1", "pbx.example.com"])
def test_what_is_public(host: str) -> None:
    assert is_public(host)


async def test_the_registrar_gets_the_learned_address_at_once() -> None:
    """With real sockets: the endpoint of the simulated network learns nothing."""
    async with (
        ScriptedRegistrar(Loopback()) as registrar,
        UserAgent("sip:alice@a.test", registrar=registrar.uri, listen=LOCAL, advertise="auto") as alice,
        alice.register() as registration,
    ):
        assert alice._running is not None
        flow = registration._bindings[0].usage.flow
        assert flow is not None
        alice._running.driver.learned(flow, PUBLIC, "a test")
        await registrar.received(2)
        new, old = registrar.requests[1].contacts
        assert str(new.uri) == "sip:alice@203.0.113.9:41000"
        assert (old.uri, old.parameters.get("expires")) == (registrar.requests[0].contacts[0].uri, "0")
