"""Peers that have opened a WebSocket to us, and whose name is in ``.invalid`` (RFC 7118 §5)."""

from __future__ import annotations

import random
from collections import deque

import pytest

from sipstack.core.outputs import Question, Target, Transport
from sipstack.core.router import Router
from sipstack.core.web_resource import WebResource
from sipstack.identifiers import Identifiers
from sipstack.transaction.deadlines import Deadlines, Timed
from sipstack.transaction.flow import Flow

WS = Transport("WS", reliable=True, default_port=80)
WSS = Transport("WSS", reliable=True, secure=True, default_port=443)
NAME = "df7jal23ls0d.invalid"
HOP = f"<sip:carol@{NAME};transport=ws>"


def router() -> Router:
    made = Router(deque(), Deadlines[Timed]().schedule, Identifiers(random.Random(1)))
    for transport in (WS, WSS):
        made.speak(transport)
    return made


def connection(transport: str = "WSS", number: int = 1) -> Flow:
    """One that a browser has opened to us."""
    ours, theirs = ("192.0.2.1", 443), ("192.0.2.9", 50_000 + number)
    return Flow(transport, ours, theirs, reliable=True, secure=transport == "WSS", connection=number)


@pytest.mark.parametrize("transport", ["WS", "WSS"])
def test_a_name_in_invalid_leads_to_its_connection_while_that_lives(transport: str) -> None:
    server, flow = router(), connection(transport)
    server.accepted(flow)
    server.calls_itself(flow, NAME)
    where = server.destination(HOP)
    assert isinstance(where, Target)
    assert server.flows[where] == flow
    server.forget(flow)
    assert isinstance(server.destination(HOP), Question)
    assert server.flows == {}


def test_nobody_takes_the_name_of_another_who_is_there() -> None:
    server, flow, thief = router(), connection(number=1), connection(number=2)
    for each in (flow, thief):
        server.accepted(each)
        server.calls_itself(each, NAME)
    where = server.destination(HOP)
    assert isinstance(where, Target)
    assert server.flows[where] == flow
    server.forget(thief)
    assert server.flows[where] == flow


def test_a_connection_has_one_name() -> None:
    server, flow = router(), connection()
    server.accepted(flow)
    for number in range(1000):
        server.calls_itself(flow, f"{number}.invalid")
    assert list(server.flows) == [Target("WSS", ("0.invalid", 0))]


def test_a_name_that_could_be_looked_up_is_not_believed() -> None:
    server, flow = router(), connection()
    server.accepted(flow)
    server.calls_itself(flow, "bank.example.com")
    assert server.flows == {}


def test_the_path_of_a_proxy_with_an_ipv6_address() -> None:
    client = router()
    client.resources["2001:db8::7", 8089] = WebResource("2001:db8::7", 8089, "WSS", "/ws")
    where = client.destination("<sip:[2001:db8::7]:8089;transport=ws;lr>")
    assert where == Target("WSS", ("2001:db8::7", 8089), "2001:db8::7", "/ws")
