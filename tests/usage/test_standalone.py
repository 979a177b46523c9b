"""One request outside of any dialog and its one outcome."""

from __future__ import annotations

import pytest

from sipstack.core.events import ResponseReceived, Unanswered
from sipstack.errors import TransactionTimeout
from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.standalone import StandaloneRequest
from tests.simulation.pair import alice_and_bob


def asking(method: str = "OPTIONS") -> tuple[World, CoreAgent, ScriptedPeer, StandaloneRequest]:
    """Alice has just asked bob."""
    world = World()
    alice, bob = (
        CoreAgent(world, "alice", ("192.0.2.1", 5060)),
        ScriptedPeer(world, "bob", ("192.0.2.2", 5060)),
    )
    standalone = alice.core.standalone(method, bob.uri)
    standalone.start(world.now)
    return world, alice, bob, standalone


def test_no_answer_is_told_after_64_t1() -> None:
    world, alice, bob, _ = asking()
    world.settle()
    assert (alice.told, len(bob.heard), world.now, alice.leftovers) == (["Unanswered"], 11, 32.0, [])
    assert isinstance(alice.last(Unanswered).error, TransactionTimeout)


@pytest.mark.parametrize("status", [200, 202, 302, 404, 501, 603])
def test_the_final_response_is_told_once(status: int) -> None:
    world, alice, bob, _ = asking()
    request = bob.request
    bob.answer(request, 183)
    bob.answer(request, status)
    bob.answer(request, 500)
    assert (alice.told, alice.last(ResponseReceived).response.status) == (["ResponseReceived"], status)


def test_a_method_that_an_application_invents_goes_out_like_any_other() -> None:
    _, _, bob, _ = asking("PING")
    assert bob.request.start_line == "PING sip:bob@192.0.2.2:5060 SIP/2.0"
    assert [name for name, _ in bob.request.headers.items()] == [
        *("Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Session-ID", "Content-Length")
    ]


def test_between_two_of_us() -> None:
    world = World()
    alice, bob = alice_and_bob(world)
    bob.core.uas.hand_over("MESSAGE")
    bob.on_event = lambda event: event.received.respond(200, world.now)  # type: ignore[union-attr]
    text = alice.core.standalone("MESSAGE", bob.uri, (("Content-Type", "text/plain"),), b"hello")
    text.start(world.now)
    world.settle()
    assert world.ladder() == ladder("""
        alice -> bob    MESSAGE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [1 MESSAGE]
    """)
    assert (alice.told, bob.told) == (["ResponseReceived"], ["RequestReceived"])
    assert (alice.leftovers, bob.leftovers) == ([], [])


def test_its_repr_tells_what_is_asked() -> None:
    assert repr(asking()[3]) == "<StandaloneRequest OPTIONS sip:bob@192.0.2.2:5060>"
