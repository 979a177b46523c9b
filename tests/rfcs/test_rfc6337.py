"""Where offers and answers travel: each row of RFC 6337 table 1, before the call is accepted and in it, with
each outcome that it can have. Two of us, 50 ms apart: what both hold in the end, and what both were told.
"""

from __future__ import annotations

import pytest

from sipstack.core.configuration import Timers
from sipstack.core.events import Event
from sipstack.errors import LocalProtocolError
from sipstack.message import Request
from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.events import OfferDue, OfferReceived
from sipstack.usage.invite.reliable import TAG, reliable
from tests.rfcs.offering import (
    FIRST,
    NEXT,
    OTHER,
    OUTCOMES,
    ROWS,
    Outcome,
    Step,
    Two,
    answer_lost,
    called_without_offer,
    completes,
    early,
    established,
    given_up,
    given_up_as_the_answer_goes,
    offer_lost,
    refused,
)

# The pair that alice/bob hold; then "lives", or what became of the call as alice | bob were told. Where an
# answer is lost they cannot hold the same, so the call ends (RFC 3261 §12.2.1.2).
TABLE: dict[str, dict[Outcome, str]] = {
    "INVITE, 2xx": {
        completes: "next/next lives",
        refused: "none/none refused with 488 | nothing",
        offer_lost: "none/none failed | nothing",
        answer_lost: "none/next failed | ended by timeout",
        given_up: "none/none refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "none/next failed, ended by local | ended by remote",
    },
    "2xx, ACK": {
        completes: "next/next lives",
        refused: "none/none answered, ended by local | ended by local",
        offer_lost: "none/none failed | ended by timeout",
        answer_lost: "next/none answered, ended by remote | ended by timeout",
        given_up: "none/none answered, ended by remote | ended by timeout",
        given_up_as_the_answer_goes: "next/none answered, ended by remote | ended by local",
    },
    "INVITE, reliable 1xx": {
        completes: "next/next lives",
        refused: "none/none refused with 488 | nothing",
        offer_lost: "none/none failed | nothing",
        answer_lost: "none/next failed | invitationcancelled",
        given_up: "none/none refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "next/next refused with 487 | invitationcancelled",
    },
    "reliable 1xx, PRACK": {
        completes: "next/next lives",
        refused: "none/none failed | invitationcancelled",
        offer_lost: "none/none failed | invitationcancelled",
        answer_lost: "next/none refused with 504 | invitationcancelled",
        given_up: "none/none refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "next/none refused with 487 | invitationcancelled",
    },
    "PRACK, 2xx to PRACK": {
        completes: "next/next lives",
        refused: "first/first refused with 488 | invitationcancelled",
        offer_lost: "first/first failed | invitationcancelled",
        answer_lost: "first/next failed | invitationcancelled",
        given_up: "first/first refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "next/next refused with 487 | invitationcancelled",
    },
    "early UPDATE of the caller": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first failed | invitationcancelled",
        answer_lost: "first/next failed | invitationcancelled",
        given_up: "first/first refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "next/next refused with 487 | invitationcancelled",
    },
    "early UPDATE of the callee": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first refused with 500 | invitationcancelled",
        answer_lost: "next/first refused with 500 | invitationcancelled",
        given_up: "first/first refused with 487 | invitationcancelled",
        given_up_as_the_answer_goes: "next/first refused with 487 | invitationcancelled",
    },
    "re-INVITE of the caller, 2xx": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first answered, ended by timeout | ended by remote",
        answer_lost: "first/next answered, ended by timeout | ended by timeout",
        given_up: "first/first lives",
        given_up_as_the_answer_goes: "next/next lives",
    },
    "re-INVITE of the callee, 2xx": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first answered, ended by remote | ended by timeout",
        answer_lost: "next/first answered, ended by timeout | ended by timeout",
        given_up: "first/first lives",
        given_up_as_the_answer_goes: "next/next lives",
    },
    "2xx to a re-INVITE of the caller, ACK": {
        completes: "next/next lives",
        refused: "first/first answered, ended by local | ended by remote",
        offer_lost: "first/first answered, ended by timeout | ended by timeout",
        answer_lost: "next/first answered, ended by remote | ended by timeout",
        given_up: "first/first answered, ended by remote | ended by timeout",
        given_up_as_the_answer_goes: "next/first answered, ended by remote | ended by local",
    },
    "2xx to a re-INVITE of the callee, ACK": {
        completes: "next/next lives",
        refused: "first/first answered, ended by remote | ended by local",
        offer_lost: "first/first answered, ended by timeout | ended by timeout",
        answer_lost: "first/next answered, ended by timeout | ended by remote",
        given_up: "first/first answered, ended by timeout | ended by remote",
        given_up_as_the_answer_goes: "first/next answered, ended by local | ended by remote",
    },
    "UPDATE of the caller": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first answered, ended by timeout | ended by remote",
        answer_lost: "first/next answered, ended by timeout | ended by remote",
        given_up: "first/first answered, ended by local | ended by remote",
        given_up_as_the_answer_goes: "first/next answered, ended by local | ended by remote",
    },
    "UPDATE of the callee": {
        completes: "next/next lives",
        refused: "first/first lives",
        offer_lost: "first/first answered, ended by remote | ended by timeout",
        answer_lost: "next/first answered, ended by remote | ended by timeout",
        given_up: "first/first answered, ended by remote | ended by local",
        given_up_as_the_answer_goes: "next/first answered, ended by remote | ended by local",
    },
}


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("name", ROWS)
def test_each_row_with_each_outcome(name: str, outcome: Outcome) -> None:
    """RFC 6337 tables 1 and 2."""
    two = Two()
    outcome(two, ROWS[name])
    assert two.outcome() == TABLE[name][outcome]


# --- offers that meet ---


def goes_on(two: Two, method: str) -> None:
    """What a user agent does: offer again when it is told to, answer what comes."""

    def hears(agent: CoreAgent, event: Event) -> None:
        if isinstance(event, OfferDue):
            event.session.reoffer(NEXT[0] if agent is two.bob else OTHER[0], two.now, method)
        elif isinstance(event, OfferReceived):
            event.session.accept_offer(NEXT[1] if event.body == NEXT[0] else OTHER[1], two.now)

    for agent in (two.alice, two.bob):
        agent.on_event = lambda event, agent=agent: hears(agent, event)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("begin", "ours", "theirs"),
    [
        (early, "UPDATE", "UPDATE"),
        (established, "UPDATE", "UPDATE"),
        (established, "INVITE", "INVITE"),
        (established, "INVITE", "UPDATE"),
        (established, "UPDATE", "INVITE"),
    ],
)
def test_offers_that_cross_are_made_again_in_turn(begin: Step, ours: str, theirs: str) -> None:
    """RFC 3261 §14.1, RFC 3311 §5.2: 491 to both. Alice owns the Call-ID and comes last, so hers counts."""
    two = Two()
    begin(two)
    two.world.ladder()
    goes_on(two, "UPDATE" if begin is early else "INVITE")
    two.sessions["alice"].reoffer(OTHER[0], two.now, ours)
    two.sessions["bob"].reoffer(NEXT[0], two.now, theirs)
    two.wait(0.1)
    assert sorted(line.split()[3] for line in two.world.ladder())[:2] == ["491", "491"]
    two.wait(10.0)
    assert [agent.told.count("OfferAnswered") for agent in (two.alice, two.bob)] == [1, 1]
    assert two.outcome() == "other/other lives"


OPEN = {
    name: row
    for name, row in ROWS.items()
    if name not in ("INVITE, 2xx", "INVITE, reliable 1xx", "reliable 1xx, PRACK")  # see the test after this
}


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("name", OPEN)
def test_while_an_offer_is_open_neither_side_sends_another(name: str, who: str) -> None:
    """RFC 3264 §4. Its own is a mistake of the user; the other side's waits for its turn."""
    two, row = Two(), ROWS[name]
    row.begin(two)
    row.offer(two)
    two.wait()
    two.world.ladder()
    session = two.sessions[who]
    mine = session.last_reoffer is not None and session.last_reoffer.unfinished
    if mine:
        with pytest.raises(LocalProtocolError, match="an offer of ours is under way"):
            session.reoffer(OTHER[0], two.now, "UPDATE")
    else:
        session.reoffer(OTHER[0], two.now, "UPDATE")
    row.answer(two)
    two.wait(0.15)
    assert [line for line in two.world.ladder() if " UPDATE sip:" in line] == []
    assert (two.pair("alice"), two.pair("bob")) == ("next", "next")
    two.wait(5.0)
    assert getattr(two, who).told.count("OfferDue") == (0 if mine else 1)
    assert two.outcome() == "next/next lives"


@pytest.mark.parametrize("who", ["alice", "bob"])
@pytest.mark.parametrize("name", ["INVITE, 2xx", "INVITE, reliable 1xx", "reliable 1xx, PRACK"])
def test_before_a_first_pair_nobody_makes_another_offer(name: str, who: str) -> None:
    """RFC 3311 §5.1."""
    two, row = Two(), ROWS[name]
    row.begin(two)
    row.offer(two)
    two.wait()
    two.bob.invitation.progress(180, two.now, (), b"", {TAG: False})
    two.wait()
    with pytest.raises(LocalProtocolError, match="not accepted yet"):
        two.sessions[who].reoffer(OTHER[0], two.now, "UPDATE")


def test_the_callee_makes_no_offer_until_its_answer_is_confirmed() -> None:
    """RFC 3311 §5.1: it "has received a PRACK" for the reliable response that carried the answer."""
    two = Two()
    two.call(FIRST[0])
    two.wait()
    two.ring(FIRST[1])
    goes_on(two, "UPDATE")
    two.bob.invitation.early_session.reoffer(NEXT[0], two.now, "UPDATE")  # type: ignore[union-attr]
    two.wait(5.0)
    sent = [line.split()[3] for line in two.world.ladder("bob")]
    assert sent == ["183", "200", "UPDATE"]
    assert two.outcome() == "next/next lives"


# --- a reliable response to a re-INVITE, which only others send ---


def reinvited(world: World) -> tuple[CoreAgent, ScriptedPeer, Request]:
    """Alice has sent carol, who has accepted her call after a reliable 180, a re-INVITE."""
    alice, carol = CoreAgent(world, "alice"), ScriptedPeer(world, "carol")
    alice.core.registry.add_extension(reliable(Timers()))
    alice.call(carol.uri, FIRST[0])
    carol.answer(carol.invite, 180, headers=reliably(7))
    carol.answer(carol.request, 200, None)
    carol.answer(carol.invite, 200, body=FIRST[1])
    assert carol.methods == ["INVITE", "PRACK", "ACK"]
    alice.session.reoffer(NEXT[0], world.now)
    return alice, carol, carol.request


def reliably(number: int) -> list[tuple[str, object]]:
    return [("Require", TAG), ("RSeq", number)]


@pytest.mark.parametrize("number", [1, 7, 8])
def test_a_reliable_response_to_a_reinvite_is_confirmed_whatever_its_number(number: int) -> None:
    """RFC 3262 §4, and §3: "the RSeq numbering space is within a single transaction"."""
    world = World()
    alice, carol, reinvite = reinvited(world)
    carol.answer(reinvite, 183, None, headers=reliably(number), body=NEXT[1])
    carol.answer(reinvite, 183, None, headers=reliably(number), body=NEXT[1])
    assert [each.headers.get("RAck") for each in carol.requests[4:]] == [f"{number} 3 INVITE"]
    assert (alice.session.exchange.local, alice.session.exchange.remote) == FIRST
    carol.answer(carol.request, 200, None)
    carol.answer(reinvite, 200, None)
    assert (alice.session.exchange.local, alice.session.exchange.remote) == NEXT
    assert (carol.methods[-1], alice.told.count("OfferAnswered")) == ("ACK", 1)
    alice.hang_up()
    carol.answer(carol.request, 200, None)
    world.settle()
    assert alice.leftovers == []


def test_a_reinvite_that_is_refused_after_a_reliable_answer_leaves_the_session_as_it_was() -> None:
    """RFC 6141 §3."""
    world = World()
    alice, carol, reinvite = reinvited(world)
    carol.answer(reinvite, 183, None, headers=reliably(1), body=NEXT[1])
    carol.answer(carol.request, 200, None)
    carol.answer(reinvite, 488, None)
    assert (alice.session.exchange.local, alice.session.exchange.remote) == FIRST
    assert (alice.told[-1], alice.session.is_established) == ("OfferRefused", True)


# --- what only comes of the ways to send two things at once ---


def test_a_prack_whose_offer_cannot_be_taken_is_confirmed_and_the_invite_refused() -> None:
    """RFC 3262 §3: a PRACK that matches "MUST be responded to with a 2xx response"; RFC 6337 table 2."""
    two = Two()
    refused(two, ROWS["PRACK, 2xx to PRACK"])
    assert two.world.ladder("bob")[-2:] == ladder("""
        bob -> alice    200 OK [3 PRACK]
        bob -> alice    488 Not Acceptable Here [1 INVITE]
    """)


@pytest.mark.parametrize("name", ["early UPDATE of the caller", "early UPDATE of the callee"])
def test_an_update_that_waits_is_answered_when_its_invite_comes_to_nothing(name: str) -> None:
    """RFC 3261 §15.1.2: "MUST still respond to any pending requests"; 487."""
    two = Two()
    given_up(two, ROWS[name])
    two.wait(1.0)
    assert [line.split()[3] for line in two.world.ladder() if "UPDATE]" in line and " 4" in line] == ["487"]


def test_an_early_offer_that_waits_is_forgotten_when_its_invite_comes_to_nothing() -> None:
    two = Two()
    early(two)
    two.sessions["alice"].reoffer(OTHER[0], two.now, "UPDATE")
    two.sessions["bob"].reoffer(NEXT[0], two.now, "UPDATE")
    two.wait(0.15)  # both are refused with 491
    two.outgoing.cancel(two.now)
    assert two.outcome() == "first/first refused with 487 | invitationcancelled"
    assert "OfferDue" not in two.alice.told + two.bob.told


def test_cancel_crosses_a_2xx_that_makes_an_offer() -> None:
    """RFC 3261 §13.2.2.4: it is acknowledged, and ended by BYE."""
    two = Two()
    called_without_offer(two)
    two.wait(0.3)
    two.outgoing.cancel(two.now)
    two.bob.accept(NEXT[0])
    assert two.outcome() == "none/none failed, ended by local | ended by local"
    sent = [line.split()[3] for line in two.world.ladder("alice")]
    assert sent == ["INVITE", "CANCEL", "ACK", "BYE", "200"]
