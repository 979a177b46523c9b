"""A call whose caller has proved who he is."""

from __future__ import annotations

from typing import Any

from sipstack.core.events import OfferReceived
from sipstack.core.gatekeeper import Gatekeeper
from sipstack.core.outputs import DialogKey
from sipstack.core.registry import Method
from sipstack.message import Request, Response
from sipstack.message.auth import Challenge
from sipstack.message.digest import DigestAccount, DigestClient, ha1
from sipstack.message.digest_server import DigestServer
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.usage.invite.update import update

BOB = ("192.0.2.2", 5060)
REALM = "bob.test"
SERVED = ["INFO", "REFER", "MESSAGE", "NOTIFY", "SUBSCRIBE", "X-NEW"]
ASKED = ["INVITE", "UPDATE", *SERVED]
PASSWORDS = {"alice": "open sesame", "carol": "s3cret"}


def gatekeeper(again_after: float | None = None, realm: str = REALM) -> Gatekeeper:
    def look_up(user: str, algorithm: str) -> str | None:
        return ha1(user, realm, PASSWORDS[user], algorithm) if user in PASSWORDS else None

    return Gatekeeper(
        DigestServer(realm, b"the secret of all nodes", nonce_lifetime=1e6), look_up, again_after
    )


class Peer(ScriptedPeer):
    """Knows a password, and answers a challenge when it is told to."""

    def credentials(self, request: Request, challenged: Response, user: str = "alice") -> str:
        challenge = challenged.headers.typed("WWW-Authenticate")[0]
        assert isinstance(challenge, Challenge)
        client = DigestClient(DigestAccount(user, PASSWORDS[user]))
        return str(client.authorize(challenge, request.method, str(request.uri), request.body, "c"))


class Guarded:
    """Alice has proved who she is, and is in a call with bob."""

    def __init__(
        self, again_after: float | None = None, store: SharedStore | None = None, **configuration: Any
    ) -> None:
        self.world = World()
        self.bob = self.serve(CoreAgent(self.world, "bob", BOB, store=store, **configuration), again_after)
        self.alice = Peer(self.world, "alice", ("192.0.2.1", 5060))
        self.begin()

    def begin(self, call_id: str = "") -> None:
        """A call of alice, the first or another one."""
        alice = self.alice
        alice.send(BOB, alice.write("INVITE", self.bob.uri, body=OFFER, call_id=call_id))
        assert alice.response.status == 401
        again = alice.write("INVITE", self.bob.uri, body=OFFER, cseq=2, call_id=call_id)
        given = alice.credentials(again, alice.response)
        self.invite = again.replace(headers=again.headers.with_("Authorization", given))
        alice.send(BOB, self.invite)
        self.bob.accept()
        self.accepted = alice.response
        assert self.accepted.status == 200
        alice.send(BOB, alice.inside(self.accepted, "ACK", 2))
        self.cseq = 2

    @property
    def key(self) -> DialogKey:
        """Of the dialog, as bob sees it."""
        return self.accepted.call_id, self.accepted.to.tag or "", self.accepted.from_.tag or ""

    @staticmethod
    def serve(bob: CoreAgent, again_after: float | None = None) -> CoreAgent:
        bob.core.uas.guard = gatekeeper(again_after)
        core = bob.core
        core.registry.add_extension(update())
        for method in SERVED:
            core.registry.add_method(
                Method(method, lambda request, which, now: core.respond(which, request.response(200), now))
            )
        return bob

    def write(self, method: str, by: ScriptedPeer | None = None, cseq: int = 0, **fields: str) -> Request:
        self.cseq += 1
        body = ANSWER if method in ("INVITE", "UPDATE") else b""
        peer = by or self.alice
        return peer.inside(self.accepted, method, cseq or self.cseq, body=body, headers=[*fields.items()])

    def send(self, request: Request, by: ScriptedPeer | None = None) -> int:
        """The status that it gets; an offer is answered."""
        peer = by or self.alice
        before, offers = len(peer.responses), self.bob.told.count("OfferReceived")
        peer.send(BOB, request)
        if self.bob.told.count("OfferReceived") > offers:
            self.bob.last(OfferReceived).session.accept_offer(ANSWER, self.world.now)
        (response,) = peer.responses[before:]
        if request.method == "INVITE" and response.status == 200:
            peer.send(BOB, peer.inside(response, "ACK", request.cseq.number))
        return response.status

    def ask(self, method: str, by: ScriptedPeer | None = None, **fields: str) -> int:
        return self.send(self.write(method, by, 0, **fields), by)

    def prove(
        self,
        method: str,
        user: str = "alice",
        challenged: Response | None = None,
        by: Peer | None = None,
    ) -> int:
        """Answer the challenge that came last, or this one."""
        peer, request = by or self.alice, self.write(method, by)
        given = peer.credentials(request, challenged or peer.response, user)
        self.proved = request.replace(headers=request.headers.with_("Authorization", given))
        return self.send(self.proved, by)

    def challenge(self) -> Response:
        """A new one, which anybody gets."""
        self.alice.send(BOB, self.alice.write("MESSAGE", self.bob.uri, tag="new", call_id="new"))
        return self.alice.response

    def goes_on(self) -> None:
        assert self.bob.session.is_established
        assert self.ask("BYE") == 200
        self.world.settle()
        assert self.bob.leftovers == []
