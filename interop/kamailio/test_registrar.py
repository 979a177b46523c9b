"""REGISTER over every transport, and what the registrar adds to it: Path and Service-Route."""

from __future__ import annotations

import attrs
import pytest

from interop.kamailio.agents import TRANSPORTS, AgentFactory, uri
from interop.kamailio.server import Kamailio
from interop.kamailio.traces import requests, responses, values
from sipstack import AuthenticationFailed, IncomingRequest, TracedMessage


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_binding_lasts_as_long_as_the_registration(agent: AgentFactory, transport: str) -> None:
    trace: list[TracedMessage] = []
    async with agent("alice", transport, trace=trace.append) as alice:
        async with alice.register(expires=60) as registration:
            assert registration.active
            assert [each.status for each in responses(trace, "REGISTER")] == [401, 200]
            assert (await alice.options(uri("alice"))).status == 200  # by way of the registrar, to ourselves
        assert (await alice.options(uri("alice"))).status == 404


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_wrong_password_is_refused(agent: AgentFactory, transport: str) -> None:
    async with agent("alice", transport, password="wrong") as alice:
        with pytest.raises(AuthenticationFailed):
            async with alice.register():
                pytest.fail("registered")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_message_and_options_to_each_other(agent: AgentFactory, transport: str) -> None:
    texts: list[str] = []

    async def take(request: IncomingRequest) -> None:
        texts.append(request.text)
        await request.respond(200)

    trace: list[TracedMessage] = []
    async with (
        agent("alice", transport, trace=trace.append) as alice,
        agent("bob", transport) as bob,
        bob.register(),
        bob.serving(requests={"MESSAGE": take}),
    ):
        assert (await alice.message(uri("bob"), "Grüße, 日本")).status == 200
        assert (await alice.options(uri("bob"))).status == 200
    assert texts == ["Grüße, 日本"]
    assert 407 in [each.status for each in responses(trace, "MESSAGE")]


async def test_a_text_that_is_too_large_for_udp(agent: AgentFactory) -> None:
    """Above 1,300 octets a request goes by TCP (RFC 3261 §18.1.1) where the proxy takes it."""
    texts: list[str] = []

    async def take(request: IncomingRequest) -> None:
        texts.append(request.text)
        await request.respond(200)

    async with (
        agent("alice") as alice,
        agent("bob", "tcp") as bob,
        bob.register(),
        bob.serving(requests={"MESSAGE": take}),
    ):
        assert (await alice.message(uri("bob"), "x" * 5000)).status == 200
    assert [len(text) for text in texts] == [5000]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_path_and_service_route_are_obeyed(edge: Kamailio, agent: AgentFactory, transport: str) -> None:
    """Through an edge proxy, which writes a Path; the registrar names a Service-Route."""
    trace: list[TracedMessage] = []
    through_edge = attrs.evolve(agent, kamailio=edge)
    async with (
        through_edge("alice", transport, trace=trace.append) as alice,
        alice.register(),
        agent("bob") as bob,
    ):
        registered = responses(trace, "REGISTER")[-1]
        assert str(edge.ports.sip) in " ".join(values(registered, "Path"))
        (service_route,) = values(registered, "Service-Route")
        assert "path" in values(requests(trace, "REGISTER", sent=True)[-1], "Supported")
        # to us: by the registrar, then the edge, over the connection that we have to it
        assert (await bob.options(uri("alice"))).status == 200
        vias = values(requests(trace, "OPTIONS", sent=False)[-1], "Via")
        assert len(vias) == 3
        # from us: by the Service-Route
        assert (await alice.options(uri("nobody"))).status == 404
        assert service_route in values(requests(trace, "OPTIONS", sent=True)[0], "Route")
