"""The rows of RFC 6337 table 1 as steps of two user agents, and the outcomes that each can have."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from sipstack.core.configuration import Timers
from sipstack.core.events import Answered, InvitationReceived
from sipstack.dialog.services import SentRequest
from sipstack.errors import SipError
from sipstack.message import Headers, Response
from sipstack.message.headers import HeaderFields
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.usage.invite.extension import Action, Extension
from sipstack.usage.invite.offers import Taken, take_response
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.reliable import TAG, Reliable, reliable
from sipstack.usage.invite.sent_acks import repeat_ack
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.update import update
from tests.simulation.pair import alice_and_bob
from tests.simulation.users import fate

WAY = 0.05
"""Seconds from one to the other."""
OUTAGE = 33.0
"""Seconds: longer than a transaction, and over before the BYE that follows from it is given up."""
FIRST = b"v=0 the first offer", b"v=0 the first answer"
NEXT = b"v=0 the next offer", b"v=0 the next answer"
OTHER = b"v=0 offered meanwhile", b"v=0 answered meanwhile"


# --- what this product never sends by itself ---


class OffersInPrack(Reliable):
    """A caller who has a new offer when the second reliable response comes: the test sends that PRACK."""

    def answered(self, response: Response, now: float) -> Action | None:
        if self._heard is None or "RSeq" not in response.headers:
            return super().answered(response, now)
        self._heard = response.headers.readable("RSeq")
        return None

    def fork(self) -> OffersInPrack:
        return OffersInPrack(self._timers)

    def outgoing(self, method: str) -> HeaderFields:
        return (("RAck", f"{self._heard} 1 INVITE"),) if method == "PRACK" else ()


def offers_in_prack() -> Extension:
    part = OffersInPrack(Timers())
    return Extension(TAG, lambda call: part, Reliable.methods)


class LateInvite:
    """A re-INVITE without an offer. ``answer`` gives the answer to the offer in its 2xx; without it the test
    answers.
    """

    def __init__(self, session: Session, now: float, answer: Callable[[], bytes] | None = None) -> None:
        self._session = session
        self._answer = answer
        draft = session.usages.draft("INVITE", contact=True)
        self._number = draft.cseq
        self.is_open = True
        self.sent: SentRequest = session.usages.send(draft, self, now)

    def response_received(self, response: Response, now: float) -> None:
        session, carrier = self._session, (True, "INVITE", self._number)
        self.is_open = self.is_open and response.status < 200
        if not 200 <= response.status < 300:
            return
        if take_response(session.exchange, carrier, response.body) is Taken.OFFER:
            session.await_answer(self._number, ())
            if self._answer is not None:
                session.answer(self._answer(), now)
        else:
            repeat_ack(session.acks, self._number, session.core)

    def request_failed(self, error: SipError, now: float) -> None:
        self._session.usages.lost(error, now)


# --- the two ---


class Two:
    """Alice, who calls, and bob."""

    def __init__(self) -> None:
        self.world = World(Link(delay=WAY))
        self.alice, self.bob = alice_and_bob(self.world)
        for agent in (self.alice, self.bob):
            agent.core.registry.add_extension(reliable(Timers()))
            agent.core.registry.add_extension(update())
        self.sessions: dict[str, Session] = {}
        self.late: LateInvite | None = None
        self._outgoing: OutgoingInviteUsage | None = None

    @property
    def now(self) -> float:
        return self.world.now

    def wait(self, seconds: float = WAY) -> None:
        """Let time pass, and keep the sessions: an early one that comes to nothing is out of reach then."""
        self.world.run(seconds)
        for session in self.outgoing._early.values():
            self.sessions.setdefault("alice", session)
        if "Answered" in self.alice.told:
            self.sessions["alice"] = self.alice.last(Answered).session
        if "InvitationReceived" in self.bob.told:
            early = self.bob.last(InvitationReceived).invitation.early_session
            if early is not None:
                self.sessions["bob"] = early

    @property
    def outgoing(self) -> OutgoingInviteUsage:
        assert self._outgoing is not None
        return self._outgoing

    # -- what they say -------------------------------------------------------------------------------------

    def call(self, offer: bytes) -> None:
        self._outgoing = self.alice.call(self.bob.uri, offer)

    def ring(self, body: bytes, status: int = 183) -> None:
        """A reliable one."""
        self.bob.invitation.progress(status, self.now, (), body, {TAG: True})

    def cut(self) -> None:
        self.world.network.partition(["192.0.2.1"], ["192.0.2.2"])
        self.world.later(OUTAGE, self.world.network.heal)

    # -- what has become of it -----------------------------------------------------------------------------

    def pair(self, name: str) -> str:
        """In words."""
        session = self.sessions.get(name)
        if session is None:
            return "none"
        assert session.exchange.offer is None or not session.is_alive  # nobody waits for an answer any more
        held = session.exchange.local, session.exchange.remote
        for word, pair in (("first", FIRST), ("next", NEXT), ("other", OTHER)):
            if held in (pair, pair[::-1]):
                return word
        return "none" if held == (None, None) else repr(held)

    def outcome(self) -> str:
        """In the end: bob accepts the call that still rings, alice ends the one that lives."""
        self.wait(100.0)
        if "bob" in self.sessions and not self.bob.invitation.answered:
            self.sessions["bob"] = self.bob.accept(b"")
            self.wait(1.0)
        pairs = f"{self.pair('alice')}/{self.pair('bob')}"
        sessions = self.sessions.values()
        lives = len(sessions) == 2 and all(session.is_established for session in sessions)
        if lives:
            ours, theirs = (self.sessions[name].exchange for name in ("alice", "bob"))
            assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
            self.sessions["alice"].hang_up(self.now)
        self.world.settle()
        assert (self.alice.leftovers, self.bob.leftovers) == ([], [])
        told = [", ".join(fate(agent)) or "nothing" for agent in (self.alice, self.bob)]
        if lives:
            assert told == ["answered, ended by local", "ended by remote"]
        return f"{pairs} lives" if lives else f"{pairs} {told[0]} | {told[1]}"


Step = Callable[[Two], None]


@attrs.frozen(eq=False)
class Row:
    """How the offer goes, and how its answer; none of it waits. ``give_up``: CANCEL of the INVITE that is in
    progress; where none is, the BYE of who made the offer.
    """

    begin: Step
    offer: Step
    answer: Step
    refuse: Step
    give_up: Step


# --- the rows ---


def nothing(two: Two) -> None:
    """The first pair is still to be agreed."""


def called_without_offer(two: Two) -> None:
    two.call(b"")
    two.wait()


def early(two: Two) -> None:
    """A first pair is agreed by a reliable 183, which is confirmed."""
    two.call(FIRST[0])
    two.wait()
    two.ring(FIRST[1])
    two.wait(3 * WAY)


def ringing_again(two: Two) -> None:
    two.alice.core.registry.add_extension(offers_in_prack())
    early(two)
    two.ring(b"", 180)
    two.wait()


def established(two: Two) -> None:
    two.call(FIRST[0])
    two.wait()
    two.bob.accept(FIRST[1])
    two.wait(3 * WAY)


def offers(name: str, method: str, body: bytes = NEXT[0]) -> Step:
    return lambda two: two.sessions[name].reoffer(body, two.now, method)


def accepts(name: str) -> Step:
    return lambda two: two.sessions[name].accept_offer(NEXT[1], two.now)


def refuses(name: str) -> Step:
    return lambda two: two.sessions[name].refuse_offer(488, two.now)


def invited_late(name: str) -> Step:
    """A re-INVITE without an offer has come, from this one."""

    def step(two: Two) -> None:
        established(two)
        two.late = LateInvite(two.sessions[name], two.now)
        two.wait()

    return step


def offers_in_2xx(name: str) -> Step:
    return lambda two: two.sessions[name].accept_offer(NEXT[0], two.now)


def other(name: str) -> str:
    return "bob" if name == "alice" else "alice"


def answers_in_ack(name: str) -> Step:
    return lambda two: two.sessions[name].answer(NEXT[1], two.now)


def hangs_up(name: str) -> Step:
    return lambda two: two.sessions[name].hang_up(two.now)


def bob_refuses(two: Two) -> None:
    two.bob.invitation.refuse(488, two.now)


def accept(body: bytes) -> Step:
    def step(two: Two) -> None:
        two.bob.accept(body)

    return step


def cancel(two: Two) -> None:
    two.outgoing.cancel(two.now)


def cancel_reinvite(name: str) -> Step:
    """As soon as 100 has come (RFC 3261 §9.1)."""

    def step(two: Two) -> None:
        reoffer = two.sessions[name].last_reoffer
        sent = reoffer._sent if reoffer is not None else None
        assert sent is not None
        sent.cancel(two.now, Headers())

    return step


def in_call(name: str, method: str) -> Row:
    give_up = cancel_reinvite(name) if method == "INVITE" else hangs_up(name)
    return Row(established, offers(name, method), accepts(other(name)), refuses(other(name)), give_up)


def late_in_call(name: str) -> Row:
    """``name`` sends the INVITE."""
    theirs = other(name)
    return Row(
        invited_late(name), offers_in_2xx(theirs), answers_in_ack(name), hangs_up(name), hangs_up(theirs)
    )


ROWS = {
    "INVITE, 2xx": Row(nothing, lambda two: two.call(NEXT[0]), accept(NEXT[1]), bob_refuses, cancel),
    "2xx, ACK": Row(
        called_without_offer,
        accept(NEXT[0]),
        answers_in_ack("alice"),
        hangs_up("alice"),
        hangs_up("bob"),
    ),
    "INVITE, reliable 1xx": Row(
        nothing, lambda two: two.call(NEXT[0]), lambda two: two.ring(NEXT[1]), bob_refuses, cancel
    ),
    "reliable 1xx, PRACK": Row(
        called_without_offer, lambda two: two.ring(NEXT[0]), accepts("alice"), refuses("alice"), cancel
    ),
    "PRACK, 2xx to PRACK": Row(
        ringing_again, offers("alice", "PRACK"), accepts("bob"), refuses("bob"), cancel
    ),
    "early UPDATE of the caller": Row(
        early, offers("alice", "UPDATE"), accepts("bob"), refuses("bob"), cancel
    ),
    "early UPDATE of the callee": Row(
        early, offers("bob", "UPDATE"), accepts("alice"), refuses("alice"), cancel
    ),
    "re-INVITE of the caller, 2xx": in_call("alice", "INVITE"),
    "re-INVITE of the callee, 2xx": in_call("bob", "INVITE"),
    "2xx to a re-INVITE of the caller, ACK": late_in_call("alice"),
    "2xx to a re-INVITE of the callee, ACK": late_in_call("bob"),
    "UPDATE of the caller": in_call("alice", "UPDATE"),
    "UPDATE of the callee": in_call("bob", "UPDATE"),
}


# --- the outcomes ---


def completes(two: Two, row: Row) -> None:
    row.begin(two)
    row.offer(two)
    two.wait()
    row.answer(two)
    two.wait()


def refused(two: Two, row: Row) -> None:
    row.begin(two)
    row.offer(two)
    two.wait()
    row.refuse(two)
    two.wait()


def offer_lost(two: Two, row: Row) -> None:
    """And all that follows it for 33 s."""
    row.begin(two)
    two.cut()
    row.offer(two)
    two.wait()


def answer_lost(two: Two, row: Row) -> None:
    """And all that follows it for 33 s."""
    row.begin(two)
    row.offer(two)
    two.wait()
    two.cut()
    row.answer(two)
    two.wait()


def given_up(two: Two, row: Row) -> None:
    """While the offer is open, and nobody answers it."""
    row.begin(two)
    row.offer(two)
    two.wait(0.3)
    row.give_up(two)


def given_up_as_the_answer_goes(two: Two, row: Row) -> None:
    row.begin(two)
    row.offer(two)
    two.wait(0.3)
    row.give_up(two)
    row.answer(two)
    two.wait()


Outcome = Callable[[Two, Row], None]
OUTCOMES: tuple[Outcome, ...] = (
    completes,
    refused,
    offer_lost,
    answer_lost,
    given_up,
    given_up_as_the_answer_goes,
)
