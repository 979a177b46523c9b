"""What the session carries out for extensions of INVITE, seen by one that does as a test says."""

from __future__ import annotations

import attrs
import pytest

from sipstack.core.events import Ended
from sipstack.message import Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.extension import (
    Action,
    Ask,
    CallExtension,
    Close,
    Extension,
    NewCall,
    Refuse,
    Resend,
    Retry,
)
from tests.usage.invite.callers import alice_and_peer, bob_and_peer

Due = Close | Ask | Resend | Refuse | None


class Told(CallExtension):
    """Does what it is told, and keeps what it hears."""

    name = "told"

    def __init__(self, due: Due, at: float, answers: dict[int, Action]) -> None:
        self.due = due
        self.deadline = at
        self.answers = answers
        self.heard: list[int] = []
        self.called_at: list[float] = []

    def answered(self, response: Response, now: float) -> Action | None:
        self.heard.append(response.status)
        return self.answers.get(response.status)

    def timeout(self, now: float) -> Due:
        self.called_at.append(now)
        return self.due


def told(
    agent: CoreAgent, due: Due = None, at: float = NEVER, answers: dict[int, Action] | None = None
) -> list[Told]:
    """Register it; the parts that it makes come into the list."""
    parts: list[Told] = []

    def begin(call: NewCall) -> Told:
        parts.append(Told(due, at, answers or {}))
        return parts[-1]

    agent.core.registry.add_extension(Extension("told", begin))
    return parts


def ringing(due: Due, at: float) -> tuple[World, CoreAgent, ScriptedPeer, list[Told]]:
    """Bob, who rings; carol has called him."""
    world, bob, carol = bob_and_peer()
    parts = told(bob, due, at)
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.progress(180, world.now)
    world.run()
    world.ladder()
    return world, bob, carol, parts


def accepted(due: Due, at: float) -> tuple[World, CoreAgent, ScriptedPeer, list[Told]]:
    """Bob, who has taken carol's call."""
    world, bob, carol, parts = ringing(due, at)
    bob.accept()
    carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    world.ladder()
    return world, bob, carol, parts


# --- its deadline ---


@pytest.mark.parametrize("due", [None, Close("local", "so"), Resend(), Refuse(504)])
def test_a_deadline_is_reached_once_unless_it_is_set_again(due: Due) -> None:
    """An extension that forgets it must not keep the core busy for ever."""
    world, bob, carol, parts = accepted(due, 5)
    bob.core.timeout(5)
    bob.core.timeout(6)
    assert (parts[0].called_at, parts[0].deadline) == ([5], NEVER)
    assert bob.core.deadline >= 6


def test_an_early_call_is_not_closed_by_an_extension() -> None:
    world, bob, carol, parts = ringing(Close("timeout", "so"), 5)
    world.run(10)
    assert (parts[0].called_at, world.ladder(), bob.told) == ([5], [], ["InvitationReceived"])
    bob.accept()
    assert bob.session.is_established


def test_an_extension_sends_our_provisional_response_again() -> None:
    world, _, _, parts = ringing(Resend(), 2)
    world.run(5)
    assert world.timed_ladder() == timed("2.0  bob -> carol  180 Ringing [1 INVITE]")
    assert parts[0].called_at == [2]


def test_an_extension_refuses_the_invite() -> None:
    world, bob, carol, parts = ringing(Refuse(504), 2)
    world.run(2)
    assert world.timed_ladder() == timed("2.0  bob -> carol  504 Server Time-out [1 INVITE]")


@pytest.mark.parametrize("due", [Resend(), Refuse(504)])
def test_neither_is_done_once_the_call_is_accepted(due: Due) -> None:
    world, bob, carol, parts = accepted(due, 5)
    world.run(10)
    assert (world.ladder(), parts[0].called_at) == ([], [5])
    assert bob.session.is_established


def test_an_extension_ends_the_call() -> None:
    world, bob, carol, _ = accepted(Close("timeout", "enough"), 5)
    world.run(5)
    assert world.timed_ladder() == timed("5.0  bob -> carol  BYE sip:carol@192.0.2.3:5060 [1]")
    assert attrs.astuple(bob.last(Ended), recurse=False)[1:] == ("timeout", "enough")


def test_nothing_is_asked_while_our_bye_waits() -> None:
    world, bob, carol, parts = accepted(Ask("INFO"), 5)
    world.run(4)
    bob.hang_up()
    world.run(10)
    assert (set(carol.methods), parts[0].called_at) == ({"BYE"}, [])


# --- what it asks for ---


@pytest.mark.parametrize("refreshes", [False, True])
def test_only_a_target_refresh_request_carries_our_contact_and_moves_theirs(refreshes: bool) -> None:
    world, bob, carol, parts = accepted(Ask("UPDATE", refreshes=refreshes), 5)
    world.run(5)
    assert carol.request.headers.get("Contact") == ("<sip:bob@192.0.2.2:5060>" if refreshes else None)
    moved = "sip:carol@192.0.2.3:5060;moved=1"
    carol.answer(carol.request, 200, None, contact=f"<{moved}>")
    assert bob.session.dialog.remote_target == (moved if refreshes else carol.uri)
    assert parts[0].heard == [200]


@pytest.mark.parametrize("contact", ["-", "<mailto:carol@example.com>"])
def test_a_2xx_to_it_without_a_usable_contact_moves_nothing(contact: str) -> None:
    world, bob, carol, parts = accepted(Ask("UPDATE", refreshes=True), 5)
    world.run(5)
    carol.answer(carol.request, 200, None, contact=contact)
    assert (bob.session.dialog.remote_target, parts[0].heard) == (carol.uri, [200])


def test_only_the_final_response_to_it_comes_back() -> None:
    world, bob, carol, parts = accepted(Ask("INFO"), 5)
    world.run(5)
    for status in (100, 180, 403):
        carol.answer(carol.request, status, None)
    assert parts[0].heard == [403]


# --- retries ---


def test_each_status_is_tried_again_once_in_one_invite() -> None:
    _, alice, bob = alice_and_peer()
    told(alice, answers={420: Retry((("X", "1"),)), 422: Retry((("X", "2"),))})
    alice.call(bob.uri)
    for status in (420, 422, 420):
        bob.answer(bob.invite, status)
    invites = [each for each in bob.requests if each.method == "INVITE"]
    assert [(each.cseq.number, each.headers.get("X")) for each in invites] == [(1, None), (2, "1"), (3, "2")]
    assert alice.told == ["Refused"]


def test_the_first_of_two_that_want_a_retry_decides() -> None:
    _, alice, bob = alice_and_peer()
    alice.core.registry.add_extension(
        Extension("other", lambda call: Told(None, NEVER, {422: Retry((("X", "first"),))}))
    )
    told(alice, answers={422: Retry((("X", "second"),))})
    alice.call(bob.uri)
    bob.answer(bob.request, 422)
    assert bob.request.headers.get("X") == "first"


def test_forks_do_not_share_what_they_know() -> None:
    """Each dialog has a copy: the deadline of one is not that of another."""
    world, alice, bob = alice_and_peer()

    class Forked(Told):
        def answered(self, response: Response, now: float) -> Action | None:
            if response.status == 183:
                self.deadline = now + int(response.headers.get("Wait") or 0)
            return None

    alice.core.registry.add_extension(Extension("told", lambda call: Forked(Ask("INFO"), NEVER, {})))
    alice.call(bob.uri)
    invite = bob.request
    for phone, wait in (("phone1", 5), ("phone2", 3)):
        bob.answer(invite, 183, phone, headers=[("Wait", wait)])
    world.run(4)
    assert [each.to.tag for each in bob.requests[1:]] == ["phone2"] * 2
    bob.answer(bob.request, 200, None)
    bob.answer(invite, 200, "phone1", body=ANSWER)
    world.run(1)
    assert bob.request.to.tag == "phone1"
    assert bob.methods[-1] == "INFO"
