"""Transfers over a bad network: the one who refers hears what became of it, whoever hangs up meanwhile, and
nothing is left.

SIPSTACK_SEEDS sets how many each test makes (1,000 unless told).
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial

import pytest

from sipstack.core.events import (
    Answered,
    Event,
    Failed,
    InvitationReceived,
    OfferReceived,
    Progressed,
    Refused,
)
from sipstack.message import Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.world import World
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.replaces import replaces
from sipstack.usage.invite.session import Session
from sipstack.usage.refer.events import ReferConcluded, ReferProgressed, ReferReceived
from sipstack.usage.refer.incoming import IncomingRefer
from sipstack.usage.refer.outgoing import OutgoingRefer
from sipstack.usage.refer.server import referred_call
from tests.simulation.users import BAD
from tests.usage.refer.parties import takes_notifies, takes_referrals

SEEDS = int(os.environ.get("SIPSTACK_SEEDS", "1000"))
BLOCK = 50
BLOCKS = [range(first, first + BLOCK) for first in range(0, SEEDS, BLOCK)]
blocks = pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")


class Three:
    """Alice has called bob, and refers him to carol at a moment that the seed decides."""

    def __init__(self, seed: int, *, attended: bool = False) -> None:
        self.world = World(BAD, seed=seed)
        self.draw = random.Random(f"transfers {seed}")
        self.alice = CoreAgent(self.world, "alice", ("192.0.2.1", 5060))
        self.bob = CoreAgent(self.world, "bob", ("192.0.2.2", 5060))
        self.carol = CoreAgent(self.world, "carol", ("192.0.2.3", 5060))
        self.follows = self.answers = True
        self.outcome: ReferConcluded | None = None
        self.progress: list[int] = []
        self.calls: dict[str, Session] = {}  # of alice, by whom they are with
        self.referred: dict[OutgoingInviteUsage, IncomingRefer] = {}
        self.new: Session | None = None  # of bob with carol
        self.at_bob: list[Session] = []
        self.at_carol: list[Session] = []
        takes_notifies(self.alice)
        takes_referrals(self.bob)
        self.carol.core.registry.add_extension(replaces(self.carol.core))
        self.alice.on_event = self._alice_hears
        self.bob.on_event = self._bob_hears
        self.carol.on_event = self._carol_hears
        self._wanted = {"bob", "carol"} if attended else {"bob"}
        self._placed = {self.alice.call(getattr(self, each).uri): each for each in sorted(self._wanted)}

    def soon(self, longest: float, action: Callable[[], None]) -> None:
        self.world.later(self.draw.uniform(0.0, longest), action)

    # -- alice ---------------------------------------------------------------------------------------------

    def _alice_hears(self, event: Event | ReferConcluded | ReferProgressed) -> None:
        match event:
            case Answered(session=session, outgoing=outgoing):
                self.calls[self._placed[outgoing]] = session
                if self.calls.keys() == self._wanted:
                    self.soon(2.0, self.refer)
            case ReferProgressed(response=response):
                self.progress.append(response.status)
            case ReferConcluded():
                assert self.outcome is None
                self.outcome = event

    def refer(self) -> None:
        if not self.calls["bob"].is_established:
            return
        target = self.carol.uri
        consultation = self.calls.get("carol")
        if consultation is not None:
            dialog = consultation.dialog
            target += f"?Replaces={dialog.call_id}%3Bto-tag%3D{dialog.remote_tag}"
            target += f"%3Bfrom-tag%3D{dialog.local_tag}"
        headers = (("Refer-To", f"<{target}>"),)
        OutgoingRefer.inside(self.alice.core, self.calls["bob"].usages, headers).start(self.world.now)

    # -- bob -----------------------------------------------------------------------------------------------

    def _bob_hears(self, event: Event | ReferReceived) -> None:
        now = self.world.now
        match event:
            case InvitationReceived(invitation=invitation):
                self.soon(1.0, lambda: self._take(invitation))
            case ReferReceived(refer=refer) if self.follows:
                refer.accept(now)
                asked = referred_call(refer.request, refer.target)
                outgoing = self.bob.call(asked.target, OFFER, headers=asked.headers)
                self.referred[outgoing] = refer
            case ReferReceived(refer=refer):
                self.soon(6.0, lambda: refer.refuse(603, self.world.now))
            case (
                Progressed(outgoing=outgoing, response=response)
                | Refused(outgoing=outgoing, response=response)
            ):
                self.referred[outgoing].tell(response, now)
            case Answered(outgoing=outgoing, session=session):
                self.new = session
                self.referred[outgoing].tell(Response(200), now)
            case Failed(outgoing=outgoing):
                self.referred[outgoing].tell(Response(503), now)

    def _take(self, invitation: IncomingInvite) -> None:
        if not invitation.answered:
            self.at_bob.append(invitation.accept(ANSWER, self.world.now))

    # -- carol ---------------------------------------------------------------------------------------------

    def _carol_hears(self, event: Event) -> None:
        match event:
            case InvitationReceived(invitation=invitation):
                self.soon(1.0, lambda: self._ring(invitation))
                self.soon(5.0, lambda: self._answer(invitation))
            case OfferReceived(session=session):
                session.accept_offer(ANSWER, self.world.now)

    def _ring(self, invitation: IncomingInvite) -> None:
        if not invitation.answered:
            invitation.progress(180, self.world.now)

    def _answer(self, invitation: IncomingInvite) -> None:
        of_bob = invitation.request.from_.uri_text.startswith("sip:bob")
        if invitation.answered:
            return
        if of_bob and not self.answers:
            invitation.refuse(486, self.world.now)
        else:
            self.at_carol.append(invitation.accept(ANSWER, self.world.now))

    # -- the end -------------------------------------------------------------------------------------------

    @property
    def told(self) -> int | None:
        """The status that alice has heard of."""
        assert self.outcome is not None
        return getattr(self.outcome.outcome, "status", None)

    def finish(self, *, everybody: bool = False) -> None:
        """What still rings or lasts after 5 minutes is given up by who has begun it; then everything comes to
        rest. ``everybody``: the others give it up as well, who cannot hear of that.
        """
        self.world.run_until(300.0)
        for outgoing in [*self._placed, *self.referred]:
            outgoing.cancel(self.world.now)
        for session in [*self.calls.values(), self.new]:
            if session is not None:
                session.hang_up(self.world.now)
        if everybody:
            self.world.run(60.0)
            for session in [*self.at_bob, *self.at_carol]:
                session.hang_up(self.world.now)
        self.world.settle()

    @property
    def leftovers(self) -> list[str]:
        return self.alice.leftovers + self.bob.leftovers + self.carol.leftovers


@blocks
def test_a_transfer_is_told_as_it_went(seeds: range) -> None:
    """Answered or refused by carol, or declined by bob, at once or after he was asked for long."""
    for seed in seeds:
        three = Three(seed)
        three.answers, three.follows = three.draw.random() < 0.6, three.draw.random() < 0.8
        three.finish()
        wanted = (200 if three.answers else 486) if three.follows else 603
        assert (three.told, three.leftovers) == (wanted, []), f"seed {seed}"
        assert (three.new is not None) == (wanted == 200), f"seed {seed}"
        assert three.progress == sorted(three.progress), f"seed {seed}"  # never an older news after a newer


@blocks
def test_an_attended_transfer_leaves_one_call(seeds: range) -> None:
    for seed in seeds:
        three = Three(seed, attended=True)
        three.world.run(60.0)
        assert three.told == 200, f"seed {seed}"
        assert not three.calls["carol"].is_established, f"seed {seed}"
        assert [each.is_established for each in three.at_carol] == [False, True], f"seed {seed}"
        three.finish()
        assert three.leftovers == [], f"seed {seed}"


@blocks
def test_somebody_hangs_up_amid_a_transfer(seeds: range) -> None:
    """Alice or bob their call, alice the consultation: what was begun is told to its end."""
    for seed in seeds:
        three = Three(seed, attended=three_in(seed))
        moment = three.draw.uniform(0.0, 12.0)
        who = three.draw.choice(["bob", "by bob", "carol"])  # with whom alice hangs up; or bob does

        def hang_up(three: Three = three, who: str = who) -> None:
            ours = [session for name, session in three.calls.items() if name == who]
            for session in three.at_bob if who == "by bob" else ours:
                session.hang_up(three.world.now)

        three.world.at(moment, hang_up)
        three.finish()
        assert three.leftovers == [], f"seed {seed}"
        if "REFER" in " ".join(three.world.ladder("alice")):
            # 481: bob, or carol, had no such call any more
            assert three.told in (200, 481, 603, 503), f"seed {seed}: {three.outcome}"


def three_in(seed: int) -> bool:
    """Whether it is an attended transfer."""
    return seed % 2 == 0


@blocks
def test_a_network_that_breaks_amid_a_transfer_leaves_nothing(seeds: range) -> None:
    """For up to 40 seconds, or for ever, between alice and bob."""
    for seed in seeds:
        three = Three(seed, attended=three_in(seed))
        begin, lasts = three.draw.uniform(0.0, 10.0), three.draw.uniform(0.0, 40.0)
        network = three.world.network
        three.world.at(begin, partial(network.partition, ["192.0.2.1"], ["192.0.2.2"]))
        if three.draw.random() < 0.8:
            three.world.at(begin + lasts, network.heal)
        three.finish(everybody=True)
        assert three.leftovers == [], f"seed {seed}"
        if "REFER" in " ".join(three.world.ladder("alice")):
            assert three.outcome is not None, f"seed {seed}"
