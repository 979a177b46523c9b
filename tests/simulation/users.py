"""The people behind two phones: they ring, answer, hold and hang up at moments that the seed decides."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable

from sipstack.core.events import (
    Answered,
    Ended,
    Event,
    Failed,
    InvitationCancelled,
    InvitationReceived,
    OfferDue,
    OfferReceived,
    Refused,
)
from sipstack.errors import LocalProtocolError
from sipstack.testing.agent import CoreAgent
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.session import Session

BAD = Link(delay=0.02, jitter=0.05, loss=0.1, duplicate=0.1, reorder=0.1, hold=0.3)
"""10 % loss, 10 % duplicates, jitter and reordering, in each direction."""


class User:
    """One person. What they do by themselves is ``acts``; their phone answers offers on its own."""

    def __init__(self, agent: CoreAgent, draw: random.Random) -> None:
        self.agent = agent
        self.draw = draw
        self.session: Session | None = None
        self.outgoing: OutgoingInviteUsage | None = None
        self.answers = True  # else they refuse
        self.acts: Callable[[], None] = lambda: None  # once the call is established
        self._offers = 0
        agent.on_event = self._hears

    @property
    def in_call(self) -> bool:
        return self.session is not None and self.session.is_established

    @property
    def now(self) -> float:
        return self.agent.now

    # -- what they do --------------------------------------------------------------------------------------

    def call(self, target: str) -> None:
        """Every fifth call leaves the offer to the other side."""
        self.outgoing = self.agent.call(target, b"" if self.draw.random() < 0.2 else self._description())

    def cancel(self) -> None:
        if self.outgoing is not None:
            self.outgoing.cancel(self.now)

    def offer(self) -> None:
        """Hold or resume, if there is a call and no other offer of ours is under way."""
        if self.session is not None:
            with contextlib.suppress(LocalProtocolError):
                self.session.reoffer(self._description(), self.now)

    def hang_up(self) -> None:
        if self.session is not None:
            self.session.hang_up(self.now)

    def soon(self, longest: float, action: Callable[[], None]) -> None:
        """Do it within ``longest`` seconds."""
        self.agent.world.later(self.draw.uniform(0, longest), action)

    def _description(self) -> bytes:
        self._offers += 1
        return f"v=0 {self.agent.name} {self._offers}\r\n".encode()

    # -- what their phone tells them -----------------------------------------------------------------------

    def _hears(self, event: Event) -> None:
        match event:
            case InvitationReceived(invitation=invitation):
                self.soon(0.5, lambda: self._ring(invitation))
                self.soon(3.0, lambda: self._answer(invitation))
            case Answered(session=session):
                self.session = session
                if session.exchange.offer is not None:
                    session.answer(self._description(), self.now)
                self.acts()
            case OfferReceived(session=session, body=body):
                self.soon(1.0, lambda: self._take(session, body))
            case OfferDue():
                self.offer()

    def _ring(self, invitation: IncomingInvite) -> None:
        if not invitation.answered:
            invitation.progress(180, self.now)

    def _answer(self, invitation: IncomingInvite) -> None:
        if invitation.answered:
            return
        if not self.answers:
            invitation.refuse(486, self.now)
            return
        self.session = invitation.accept(self._description(), self.now)
        self.acts()

    def _take(self, session: Session, body: bytes) -> None:
        with contextlib.suppress(LocalProtocolError):  # it may be withdrawn meanwhile
            if self.draw.random() < 0.2 and body:
                session.refuse_offer(488, self.now)
            else:
                session.accept_offer(self._description(), self.now)


def fate(agent: CoreAgent) -> list[str]:
    """What became of the call as this side was told: its decisive events."""
    told = []
    for event in agent.events:
        match event:
            case Ended(by=by):
                told.append(f"ended by {by}")
            case Refused(response=response):
                told.append(f"refused with {response.status}")
            case Answered() | Failed() | InvitationCancelled():
                told.append(type(event).__name__.lower())
    return told


def two_users(world: World) -> tuple[User, User]:
    """Alice, who is about to call, and bob."""
    draw = random.Random(f"users {world.seed}")
    alice = User(CoreAgent(world, "alice", ("192.0.2.1", 5060)), draw)
    return alice, User(CoreAgent(world, "bob", ("192.0.2.2", 5060)), draw)
