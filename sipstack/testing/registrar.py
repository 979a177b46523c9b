"""A scripted registrar, and the challenges of a server that wants credentials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sipstack.message import Request, Response
from sipstack.message.digest import ha1
from sipstack.message.digest_server import DigestServer, Verdict
from sipstack.testing.network import authority
from sipstack.testing.peer import ScriptedPeer
from sipstack.transaction.flow import Address

if TYPE_CHECKING:
    from sipstack.testing.loopback import Loopback
    from sipstack.testing.world import World


class Challenger:
    """Asks for credentials and checks them, as a registrar or proxy of ``realm`` does (RFC 3261 §22).

    Every user has the same ``password``. A nonce is good for ``lifetime`` seconds.
    """

    def __init__(
        self,
        password: str,
        algorithms: Sequence[str] = ("SHA-256",),
        qop: Sequence[str] = ("auth",),
        realm: str = "test",
        lifetime: float = 300.0,
    ) -> None:
        self.realm = realm
        self.accepted: list[str] = []
        """The algorithms of the credentials that were right."""
        self._password = password
        self._server = DigestServer(realm, b"a secret of the test", algorithms, qop, lifetime)

    def challenge(self, request: Request, now: float, *, proxy: bool = False) -> Response | None:
        """The 401 or 407 that ``request`` gets; None when its credentials are right."""
        verdict = self._check(request, now, proxy=proxy)
        if verdict is Verdict.OK:
            return None
        challenges = self._server.challenges(now, stale=verdict in (Verdict.STALE, Verdict.REPLAYED))
        name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
        headers = [(name, challenge) for challenge in challenges]
        return request.response(407 if proxy else 401, to_tag="challenger", headers=headers)

    def _check(self, request: Request, now: float, *, proxy: bool) -> Verdict:
        verdict = Verdict.WRONG
        for given in request.headers.typed("Proxy-Authorization" if proxy else "Authorization"):
            verdict = self._server.check(given, request.method, request.body, self._ha1, now)
            if verdict is Verdict.OK:
                self.accepted.append(given.algorithm or "MD5")
        return verdict

    def _ha1(self, user: str, algorithm: str) -> str:
        return ha1(user, self.realm, self._password, algorithm)


class ScriptedRegistrar(ScriptedPeer):
    """Registers every user agent that asks, at ``registrar.test`` unless named otherwise (RFC 3261 §10.3).

    With a ``challenger`` it first asks for credentials. Its attributes may be changed at any time.
    """

    def __init__(
        self,
        world: World | Loopback,
        challenger: Challenger | None = None,
        *,
        name: str = "registrar",
        address: Address | None = None,
    ) -> None:
        super().__init__(world, name, address, on_request=self._respond)
        self.challenger = challenger
        self.silent = False
        """It hears, and does not answer."""
        self.status = 200
        """Any other status refuses."""
        self.minimum = 0
        """Seconds that a binding must last: a request for less gets 423."""
        self.longest = 3600
        """Seconds that a binding lasts at the most."""
        self.writes_expires_in = "contact"
        """The place of the granted time: "contact", "field" or "nowhere"."""
        self.bindings: dict[str, float] = {}
        """Contact URIs and when they expire."""

    @property
    def uri(self) -> str:
        """The Request-URI of a REGISTER: without a user (§10.2)."""
        return f"sip:{authority(self.address)}"

    @property
    def asked(self) -> list[int]:
        """The lifetimes in seconds that were asked for, in order; 0 takes a binding back."""
        return [_lifetime(request) for request in self.requests]

    def _respond(self, request: Request) -> Iterator[Response]:
        if self.silent:
            return
        challenge = self.challenger.challenge(request, self.world.now) if self.challenger else None
        lifetime = _lifetime(request)
        if challenge is not None:
            yield challenge
        elif self.status != 200 or request.method != "REGISTER":
            yield request.response(self.status, to_tag="registrar")
        elif 0 < lifetime < self.minimum:
            yield request.response(423, to_tag="registrar", headers=[("Min-Expires", self.minimum)])
        else:
            yield request.response(200, to_tag="registrar", headers=self._bind(request, lifetime))

    def _bind(self, request: Request, lifetime: int) -> list[tuple[str, object]]:
        granted = min(lifetime, self.longest)
        if request.wildcard_contact:
            self.bindings.clear()
        for contact in request.contacts:
            self.bindings.pop(str(contact.uri), None)
            if granted and contact.parameters.get("expires") != "0":
                self.bindings[str(contact.uri)] = self.world.now + granted
        return self.listed(granted)

    def listed(self, granted: int) -> list[tuple[str, object]]:
        """The header fields of a 200: every binding (§10.3, step 8)."""
        seconds = {uri: round(expiry - self.world.now) for uri, expiry in self.bindings.items()}
        parameters = {uri: f";expires={left}" if self.writes_expires_in == "contact" else ""
                      for uri, left in seconds.items()}  # fmt: skip
        headers: list[tuple[str, object]] = [("Contact", f"<{uri}>{parameters[uri]}") for uri in seconds]
        if self.writes_expires_in == "field":
            headers.append(("Expires", granted))
        return headers


def _lifetime(request: Request) -> int:
    """The seconds that a REGISTER asks for: the expires of its Contact, else Expires, else an hour."""
    for contact in request.contacts:
        if (written := contact.parameters.get("expires")) is not None:
            return int(written)
    return 3600 if request.expires is None else request.expires
