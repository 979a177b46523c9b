"""A request that the application answers (RFC 3261 §8.2)."""

from __future__ import annotations

import pytest

from sipstack.core.events import RequestReceived
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.received import ReceivedRequest
from tests.usage.invite.callers import bob_and_peer, called_by_peer


def received() -> tuple[World, CoreAgent, ScriptedPeer, ReceivedRequest]:
    world, bob, carol = bob_and_peer()
    bob.core.uas.hand_over("MESSAGE")
    carol.send(bob.address, carol.write("MESSAGE", bob.uri))
    return world, bob, carol, bob.last(RequestReceived).received


@pytest.mark.parametrize("status", [-1, 0, 100, 101, 180, 199, 700, 2000])
def test_what_is_no_final_response(status: int) -> None:
    """RFC 4320 §4.1: no provisional response other than 100 to what is not an INVITE."""
    world, bob, carol, request = received()
    with pytest.raises(LocalProtocolError, match=f"{status} is not a final response"):
        request.respond(status, world.now)
    assert (request.answered, carol.heard) == (False, [])
    request.respond(200, world.now)
    assert carol.response.status == 200


@pytest.mark.parametrize("field", [("X", "a\r\nb"), ("X", "a\0"), ("a b", "c")])
def test_a_response_that_cannot_be_written_answers_nothing(field: tuple[str, str]) -> None:
    world, bob, carol, request = received()
    with pytest.raises(LocalProtocolError):
        request.respond(200, world.now, None, (field,))
    request.respond(202, world.now)
    assert [response.status for response in carol.responses] == [202]


@pytest.mark.parametrize("status", [200, 299, 300, 486, 500, 699])
def test_one_final_response_and_no_more(status: int) -> None:
    world, bob, carol, request = received()
    request.respond(status, world.now)
    for again in (180, 200, status):
        with pytest.raises(LocalProtocolError, match="the request is answered"):
            request.respond(again, world.now)
    assert ([response.status for response in carol.responses], request.answered) == ([status], True)
    world.settle()
    assert bob.leftovers == []


def test_the_response_is_as_the_application_gives_it() -> None:
    world, _, carol, request = received()
    request.respond(299, world.now, "Fine", (("X-Mood", "good"),), b"text")
    response = carol.response
    assert (response.start_line, response.headers.get("X-Mood"), response.body) == (
        "SIP/2.0 299 Fine",
        "good",
        b"text",
    )
    assert response.to.tag is not None


def test_a_repeated_request_is_told_once_and_answered_again() -> None:
    world, bob, carol, request = received()
    message = carol.write("MESSAGE", bob.uri, branch=request.request.via.branch or "")
    carol.send(bob.address, message)
    request.respond(200, world.now)
    carol.send(bob.address, message)
    assert world.ladder() == ladder("""
        carol -> bob    MESSAGE sip:bob@192.0.2.2:5060 [1]
        carol -> bob    MESSAGE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 MESSAGE]
        carol -> bob    MESSAGE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 MESSAGE]
    """)
    assert bob.told == ["RequestReceived"]


def test_inside_a_dialog_the_tag_is_that_of_the_dialog() -> None:
    world, bob, carol = called_by_peer()
    answer = carol.response
    bob.core.uas.hand_over("MESSAGE")
    carol.send(bob.address, carol.inside(answer, "MESSAGE", 2))
    bob.last(RequestReceived).received.respond(200, world.now)
    assert (carol.response.to.tag, carol.response.cseq.method) == (answer.to.tag, "MESSAGE")
    assert bob.session.is_established


def test_its_user_is_the_receiver_of_the_event() -> None:
    _, bob, _, request = received()
    event = bob.last(RequestReceived)
    before = event.receiver
    request.user = "somebody"
    assert (before, event.receiver, repr(request)) == (
        None,
        "somebody",
        "<ReceivedRequest MESSAGE call-of-carol>",
    )
