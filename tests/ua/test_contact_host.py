"""The Contact of a node is that of its cluster: what comes in a call must not follow a node that is dead."""

from __future__ import annotations

import pytest

from sipstack import LocalProtocolError, TracedMessage, UserAgent
from sipstack.testing.world import World
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "sip:example.com",
        "bob@example.com",
        "example.com:x",
        "h?a=b",
        "h;a=b>",
        "h;a=<b",
        "h;a=b\r\nX: y",
        'h;a="b',
    ],
)
def test_what_is_no_host_is_refused_at_once(host: str) -> None:
    with pytest.raises(LocalProtocolError, match="HOST"):
        UserAgent("sip:bob@example.com", contact_host=host)


@pytest.mark.parametrize(
    "host", ["cluster.test", "cluster.test:5070", "192.0.2.9", "cluster.test;node=n1", "[2001:db8::1]:5060"]
)
async def test_the_contact_of_both_roles_names_the_cluster(world: World, host: str) -> None:
    contacts: list[str] = []

    def seen(message: TracedMessage) -> None:
        contacts.extend(line for line in message.data.decode().splitlines() if line.startswith("Contact:"))

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob", contact_host=host, trace=seen) as bob,
        bob.serving(Answering()),
        alice.serving(Answering()),
    ):
        await alice.call("sip:bob@bob.test").__aenter__()
        ours = [contact for contact in contacts if "bob" in contact]
        assert set(ours) == {f"Contact: <sip:bob@{host}>"}
        contacts.clear()
        async with bob.call("sip:alice@alice.test"):
            ours = [contact for contact in contacts if "bob" in contact]
            assert set(ours) == {f"Contact: <sip:bob@{host}>"}


async def test_what_comes_in_a_call_names_the_node_that_has_it(world: World) -> None:
    seen: list[str] = []

    def trace(message: TracedMessage) -> None:
        if not message.sent:
            seen.append(message.data.decode().splitlines()[0])

    async with (
        world.user_agent("alice", proxy="sip:bob.test;lr") as alice,
        world.user_agent("bob", contact_host="cluster.test;node=n1", trace=trace) as bob,
        bob.serving(Answering()),
    ):
        async with alice.call("sip:bob@bob.test"):
            pass
    assert "BYE sip:bob@cluster.test;node=n1 SIP/2.0" in seen
