"""Six phones that call one another at random over a bad network: no call disturbs another."""

from __future__ import annotations

import contextlib
import random

import pytest

from sipstack.core.events import Answered, Ended, Event, InvitationReceived, OfferReceived
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.world import World
from tests.simulation.users import BAD

PHONES, CALLS = 6, 60


class Crowd:
    """Everybody answers most calls, and everybody hangs up some time."""

    def __init__(self, seed: int) -> None:
        self.world = World(BAD, seed=seed)
        self.draw = random.Random(f"crowd {seed}")
        self.phones = [CoreAgent(self.world, f"p{n}", (f"192.0.2.{n}", 5060)) for n in range(1, PHONES + 1)]
        for phone in self.phones:
            phone.on_event = self.hears
        for _ in range(CALLS):
            self.world.at(self.draw.uniform(0, 60), self.call)

    def call(self) -> None:
        caller, callee = self.draw.choice(self.phones), self.draw.choice(self.phones)
        outgoing = caller.call(callee.uri)
        if self.draw.random() < 0.3:
            self.world.later(self.draw.uniform(0, 3), lambda: outgoing.cancel(self.world.now))

    def hears(self, event: Event) -> None:
        world, draw = self.world, self.draw
        match event:
            case InvitationReceived(invitation=invitation) if draw.random() < 0.2:
                invitation.refuse(486, world.now)
            case InvitationReceived(invitation=invitation):
                invitation.progress(180, world.now)
                world.later(draw.uniform(0, 3), lambda: self.answer(event))
            case Answered(session=session):
                world.later(draw.uniform(0, 20), lambda: self.offer(event))
                world.later(draw.uniform(0, 30), lambda: session.hang_up(world.now))
            case OfferReceived(session=session):
                session.accept_offer(ANSWER, world.now)

    def answer(self, event: InvitationReceived) -> None:
        invitation, world = event.invitation, self.world
        if not invitation.answered:
            session = invitation.accept(ANSWER, world.now)
            world.later(self.draw.uniform(0, 40), lambda: session.hang_up(world.now))

    def offer(self, event: Answered) -> None:
        with contextlib.suppress(LocalProtocolError):
            event.session.reoffer(OFFER, self.world.now)


@pytest.mark.parametrize("seed", range(10))
def test_all_calls_end_and_both_ends_of_each_agree(seed: int) -> None:
    crowd = Crowd(seed)
    crowd.world.settle()
    assert [phone.leftovers for phone in crowd.phones] == [[]] * PHONES
    ends: dict[str, list[str]] = {}
    for phone in crowd.phones:
        for event in phone.events:
            if isinstance(event, Ended):
                ends.setdefault(event.session.dialog.call_id, []).append(event.by)
    assert len(ends) > CALLS // 4
    assert {tuple(sorted(by)) for by in ends.values()} <= {("local", "local"), ("local", "remote")}
