"""Two endpoints moved by hypothesis: any command at any moment, any datagram delivered, doubled or lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sipstack.core.events import (
    Acknowledged,
    Answered,
    Ended,
    Event,
    Failed,
    InvitationCancelled,
    InvitationReceived,
    OfferAnswered,
    OfferDue,
    OfferReceived,
    OfferRefused,
    Progressed,
    Refused,
)
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.network import Delivery
from sipstack.testing.world import World
from sipstack.transaction.flow import Address
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.session import Session
from tests.simulation.pair import alice_and_bob

T = TypeVar("T")


class Post(World):
    """A world whose datagrams wait until somebody decides what becomes of each."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Delivery] = []
        self.prompt = False  # deliver at once

    def send(self, source: Address, destination: Address, data: bytes) -> None:
        if self.prompt:
            super().send(source, destination, data)
        else:
            self.waiting.append(Delivery(self.now, source, destination, data))

    def deliver(self, delivery: Delivery) -> None:
        self.simulated.hand_over(delivery)
        self.run()


def pick(items: list[T], which: int) -> T:
    return items[which % len(items)]


class Phone:
    """What one side has going on, as its user agent knows it."""

    def __init__(self, agent: CoreAgent) -> None:
        self.agent = agent
        self.outgoing: list[OutgoingInviteUsage] = []
        self.invitations: list[IncomingInvite] = []
        self.sessions: list[Session] = []
        self.over: set[int] = set()
        self.concluded: set[int] = set()
        self.leaving = False
        agent.on_event = self.hears

    def hears(self, event: Event) -> None:
        now = self.agent.world.now
        if isinstance(event, Answered | Refused | Failed):
            assert id(event.outgoing) not in self.concluded, "two outcomes of one call"
            self.concluded.add(id(event.outgoing))
        match event:
            case InvitationReceived(invitation=invitation):
                self.invitations.append(invitation)
                if self.leaving:
                    invitation.refuse(480, now)
            case Answered(session=session):
                self.sessions.append(session)
                if self.leaving:
                    session.hang_up(now)
            case Ended(session=session):
                assert id(session) not in self.over, "two ends of one session"
                self.over.add(id(session))
            case (
                Acknowledged(session=session)
                | OfferReceived(session=session)
                | OfferAnswered(session=session)
                | OfferRefused(session=session)
                | OfferDue(session=session)
            ):
                assert id(session) not in self.over, "news of a session after its end"
            case InvitationCancelled(invitation=invitation):
                assert id(invitation) not in self.concluded, "two outcomes of one invitation"
                self.concluded.add(id(invitation))
            case Progressed(outgoing=outgoing):
                assert id(outgoing) not in self.concluded, "progress of a call after its outcome"

    def leave(self) -> None:
        """End everything, as a user agent does that is closed."""
        self.leaving, now = True, self.agent.world.now
        for outgoing in self.outgoing:
            outgoing.cancel(now)
        for invitation in self.invitations:
            if not invitation.answered:
                invitation.refuse(480, now)
        for session in self.sessions:
            session.hang_up(now)


who = st.sampled_from([0, 1])
which = st.integers(0, 5)
statuses = st.sampled_from([180, 183, 200, 200, 200, 302, 486])
fates = st.sampled_from(["arrive", "arrive", "arrive", "arrive", "twice", "lost", "refused"])
talks = st.sampled_from(["offer", "offer", "accept", "accept", "refuse", "answer", "hang up"])
pauses = st.sampled_from([0.1, 0.1, 0.5, 0.5, 1.0, 1.0, 4.0, 33.0, 61.0])


class Calls(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.post = Post()
        self.phones = [Phone(agent) for agent in alice_and_bob(self.post)]

    def command(self, give: Callable[[], object]) -> None:
        """Some commands make no sense at the moment: then they say so, and nothing else happens."""
        with contextlib.suppress(LocalProtocolError):
            give()
        self.post.run()

    @initialize(beginning=st.sampled_from(["nothing", "a call", "a call"]))
    def begin(self, beginning: str) -> None:
        if beginning == "a call":
            self.call(0, OFFER)
            self.carry_all()
            self.respond(0, 200)
            self.carry_all()

    # -- the users -----------------------------------------------------------------------------------------

    @precondition(lambda self: sum(len(phone.outgoing) for phone in self.phones) < 4)
    @rule(who=who, offer=st.sampled_from([OFFER, OFFER, b""]))
    def call(self, who: int, offer: bytes) -> None:
        phone, other = self.phones[who], self.phones[1 - who]
        phone.outgoing.append(phone.agent.call(other.agent.uri, offer))
        self.post.run()

    @precondition(lambda self: any(phone.outgoing for phone in self.phones))
    @rule(which=which)
    def cancel(self, which: int) -> None:
        outgoing = pick([each for phone in self.phones for each in phone.outgoing], which)
        self.command(lambda: outgoing.cancel(self.post.now))

    @precondition(lambda self: any(phone.invitations for phone in self.phones))
    @rule(which=which, status=statuses)
    def respond(self, which: int, status: int) -> None:
        every = [(phone, each) for phone in self.phones for each in phone.invitations]
        phone, invitation = pick(every, which)
        match status:
            case 200:
                self.command(lambda: phone.sessions.append(invitation.accept(ANSWER, self.post.now)))
            case 180 | 183:
                self.command(lambda: invitation.progress(status, self.post.now))
            case _:
                self.command(lambda: invitation.refuse(status, self.post.now))

    @precondition(lambda self: any(phone.sessions for phone in self.phones))
    @rule(which=which, what=talks)
    def talk(self, which: int, what: str) -> None:
        session = pick([each for phone in self.phones for each in phone.sessions], which)
        now = self.post.now
        commands: dict[str, Callable[[], None]] = {
            "offer": lambda: session.reoffer(OFFER, now),
            "accept": lambda: session.accept_offer(ANSWER, now),
            "refuse": lambda: session.refuse_offer(488, now),
            "answer": lambda: session.answer(ANSWER, now),
            "hang up": lambda: session.hang_up(now),
        }
        self.command(commands[what])

    # -- the network and the clock -------------------------------------------------------------------------

    @precondition(lambda self: self.post.waiting)
    @rule(which=which, fate=fates)
    def carry(self, which: int, fate: str) -> None:
        delivery = self.post.waiting.pop(which % len(self.post.waiting))
        for _ in range({"arrive": 1, "twice": 2}.get(fate, 0)):
            self.post.deliver(delivery)
        if fate == "refused":  # as ICMP tells the sender
            _, source, destination, data, _ = delivery
            self.post.deliver(Delivery(self.post.now, destination, source, data, refused=True))

    @precondition(lambda self: self.post.waiting)
    @rule()
    def carry_all(self) -> None:
        waiting, self.post.waiting = self.post.waiting, []
        for delivery in waiting:
            self.post.deliver(delivery)

    @rule(seconds=pauses)
    def wait(self, seconds: float) -> None:
        self.post.run(seconds)

    # -- what must always hold -----------------------------------------------------------------------------

    @invariant()
    def nobody_waits_for_the_past(self) -> None:
        for phone in self.phones:
            assert phone.agent.core.deadline > self.post.now

    @invariant()
    def a_session_that_is_over_has_said_so(self) -> None:
        for phone in self.phones:
            for session in phone.sessions:
                assert (id(session) in phone.over) == repr(session).startswith("<Session ENDED")

    def teardown(self) -> None:
        """Everybody leaves, over a network that works again: then nothing is left."""
        self.post.prompt = True
        self.carry_all()
        for phone in self.phones:
            phone.leave()
        self.post.settle()
        assert [phone.agent.leftovers for phone in self.phones] == [[], []]
        for phone in self.phones:
            assert {id(outgoing) for outgoing in phone.outgoing} <= phone.concluded
            assert {id(session) for session in phone.sessions} <= phone.over


TestCalls = Calls.TestCase
TestCalls.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
