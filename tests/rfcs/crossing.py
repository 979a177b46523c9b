"""Requests inside of one call, of each kind: sent by both sides at the same instant, or by one side twice."""

from __future__ import annotations

import re
from functools import partial

from sipstack.core.configuration import Timers
from sipstack.core.events import Event, RequestReceived
from sipstack.core.registry import Method, Package
from sipstack.errors import LocalProtocolError
from sipstack.message import Response
from sipstack.message.headers import HeaderFields
from sipstack.testing.agent import CoreAgent
from sipstack.testing.link import Link
from sipstack.testing.world import World
from sipstack.usage.content import SDP
from sipstack.usage.info import InfoRequest, InfoServer
from sipstack.usage.invite.events import Ended, OfferDue, OfferReceived
from sipstack.usage.invite.extension import Ask
from sipstack.usage.invite.offer_received import ReceivedOffer
from sipstack.usage.invite.session import Session
from sipstack.usage.invite.session_timer import TAG, SessionTimer
from sipstack.usage.invite.standard import standard_extensions
from sipstack.usage.refer.events import ReferReceived
from sipstack.usage.refer.incoming import IncomingRefer
from sipstack.usage.refer.outgoing import PACKAGE, OutgoingRefer
from sipstack.usage.refer.server import ReferServer
from sipstack.usage.standalone import StandaloneRequest
from tests.rfcs.offering import LateInvite
from tests.simulation.pair import alice_and_bob
from tests.simulation.users import fate

WAY = 0.05
"""Seconds from one to the other."""
PAUSE = 0.3
"""Seconds that an offer, a REFER or a MESSAGE waits for its answer: nothing goes out again by then."""
_SENT = re.compile(r"(\w+) -> \w+ (\S+) \S+ \[(\d+)\]")
_ANSWERED = re.compile(r"(\w+) -> \w+ ([2-6]\d\d) .*\[(\d+) (\w+)\]")


class Crossing:
    """Alice has called bob; with ``referred`` each has also a REFER of the other to tell of."""

    def __init__(self, *, referred: bool = False, seed: int = 0) -> None:
        self.world = World(Link(delay=WAY), seed=seed)
        self.alice, self.bob = alice_and_bob(self.world)
        self.agents = {"alice": self.alice, "bob": self.bob}
        self.referrals: dict[str, IncomingRefer] = {}
        self.late: dict[str, LateInvite] = {}
        self.offers = 0
        self.pause = 0.0
        for name, agent in self.agents.items():
            self._register(agent)
            agent.on_event = partial(self._hears, name)
        self.alice.call(self.bob.uri, b"v=0 first")
        self.world.run(WAY)
        self.bob.accept(b"v=0 answer")
        self.world.run(2 * WAY)
        self.sessions = {name: agent.session for name, agent in self.agents.items()}
        for name, session in self.sessions.items():
            session.user = self.agents[name]
        for name in self.agents if referred else ():
            self.send(name, "REFER")
            self.world.run(4 * WAY)
        self.pause = PAUSE
        self.world.ladder()

    def _register(self, agent: CoreAgent) -> None:
        core, registry = agent.core, agent.core.registry
        for extension in standard_extensions(Timers(), timer=SessionTimer()):
            registry.add_extension(extension)
        registry.add_method(Method("INFO", InfoServer(core, (), ()).serve))
        registry.add_method(Method("REFER", ReferServer(core, agent).serve))
        registry.add_method(Method("NOTIFY", by_event=True))
        registry.add_method(Method("SUBSCRIBE", by_event=True))
        registry.add_package(Package(PACKAGE, None))
        core.uas.hand_over("MESSAGE")

    @property
    def now(self) -> float:
        return self.world.now

    # -- what a user agent does by itself ------------------------------------------------------------------

    def _description(self, name: str) -> bytes:
        self.offers += 1
        return f"v=0 {name} {self.offers}".encode()

    def _hears(self, name: str, event: Event | ReferReceived) -> None:
        match event:
            case Ended() if name in self.late:
                self.late[name].sent.give_up(self.now)
            case OfferDue(session=session):
                session.reoffer(self._description(name), self.now)
            case OfferReceived(session=session) if self._has_late_invite(name, session):
                session.refuse_offer(491, self.now)
            case OfferReceived(session=session):
                offer = session.received_offer
                self.world.later(self.pause, lambda: self._answer(name, session, offer))
            case ReferReceived(refer=refer):
                self.referrals[name] = refer
                self.world.later(self.pause, lambda: refer.accept(self.now))
            case RequestReceived(received=received):
                self.world.later(self.pause, lambda: received.respond(200, self.now))

    def _has_late_invite(self, name: str, session: Session) -> bool:
        """Of ours, so that theirs is glare (RFC 3261 §14.2)."""
        late, offer = self.late.get(name), session.received_offer
        invited = isinstance(offer, ReceivedOffer) and offer.method == "INVITE"
        return invited and late is not None and late.is_open

    def _answer(self, name: str, session: Session, offer: object) -> None:
        if session.received_offer is offer:  # else a BYE was faster
            session.accept_offer(self._description(name), self.now)

    # -- what they send ------------------------------------------------------------------------------------

    def send(self, name: str, kind: str) -> None:
        """As this product sends it; what it never sends, by hand."""
        agent, session, now = self.agents[name], self.sessions[name], self.now
        core, usages = agent.core, session.usages
        match kind:
            case "INVITE" | "UPDATE":
                session.reoffer(self._description(name), now, kind)
            case "late INVITE":
                self.late[name] = LateInvite(session, now, partial(self._description, name))
            case "bare UPDATE":
                self._send_by_hand(name, "UPDATE")
            case "refresh":
                timer = session.extensions.find(TAG) if session.extensions is not None else None
                if session.extensions is None or timer is None:
                    self._send_by_hand(name, "UPDATE", (("Session-Expires", "1800"),))
                else:
                    ask = Ask("UPDATE", timer.outgoing("UPDATE"), refreshes=True)
                    session.extensions.perform(timer, ask, now)
            case "BYE" if session.is_alive:
                session.hang_up(now)
            case "INFO":
                InfoRequest(core, usages.draft("INFO"), usages).start(now)
            case "REFER":
                headers = (("Refer-To", "<sip:carol@example.com>"),)
                OutgoingRefer.inside(core, usages, headers).start(now)
            case "NOTIFY":
                self.referrals[name].tell(Response(180), now)
            case _:
                self._send_by_hand(name, kind)

    def send_wrongly(self, name: str, kind: str) -> None:
        """As ``send``; what this product would not send now, by hand."""
        try:
            self.send(name, kind)
        except LocalProtocolError:
            self._send_by_hand(name, kind, (("Content-Type", SDP),), self._description(name))

    def _send_by_hand(self, name: str, method: str, headers: HeaderFields = (), body: bytes = b"") -> None:
        usages = self.sessions[name].usages
        draft = usages.draft(method, headers, body, contact=True)
        StandaloneRequest(self.agents[name].core, draft, usages).start(self.now)

    # -- what has become of it -----------------------------------------------------------------------------

    def statuses(self, *names: str) -> str:
        """Of the first requests of these, in order, the final response to each."""
        data = [each.data for each in self.world.sent]
        assert all(b"\r\nRetry-After: " in each for each in data if each.startswith(b"SIP/2.0 500"))
        lines = self.world.ladder()
        matches = filter(None, map(_SENT.match, lines))
        sent = [(found[1], found[2], found[3]) for found in matches if found[2] != "ACK"]
        answers: dict[tuple[str, str, str], str] = {}
        for found in filter(None, map(_ANSWERED.match, lines)):
            by = "bob" if found[1] == "alice" else "alice"
            answers.setdefault((by, found[4], found[3]), found[2])
        told = []
        for name in names:
            first = next(each for each in sent if each[0] == name)
            sent = [each for each in sent if each != first]
            told.append(answers.get(first, "-"))
        return "/".join(told)

    def end(self) -> str:
        """Whether the call lives, on which both agree. Then alice ends it, and the REFERs are told of."""
        self.world.run(30.0)
        alive = {name for name, session in self.sessions.items() if session.is_alive}
        if alive:
            ours, theirs = (session.exchange for session in self.sessions.values())
            assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
            assert (ours.offer, theirs.offer) == (None, None)
            self.alice.hang_up()
        for referral in self.referrals.values():
            referral.tell(Response(200), self.now)
        self.world.settle()
        assert (self.alice.leftovers, self.bob.leftovers) == ([], [])
        ends = [[line for line in fate(agent) if line.startswith("ended")] for agent in self.agents.values()]
        assert [len(each) for each in ends] == [1, 1]
        return {0: "over", 2: "lives"}[len(alive)]
