"""Scripted peers with a part to play: a registrar, a proxy, and what challenges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sipstack.message import Parameters, Request, Response, Via
from sipstack.message.digest import ha1
from sipstack.message.digest_server import DigestServer, Verdict
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Address

PORT = 5060


class Challenger:
    """Asks for credentials and checks them, as a registrar or proxy of ``realm`` does."""

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


class Registrar(ScriptedPeer):
    """Registers whoever comes, at ``registrar.test``. Its attributes may be changed at any time."""

    def __init__(self, world: World, challenger: Challenger | None = None) -> None:
        super().__init__(world, "registrar", ("10.0.1.1", PORT), on_request=self._respond)
        self.challenger = challenger
        self.silent = False
        self.status = 200
        self.minimum = 0
        """Seconds that a binding must last; 423 to who asks for less."""
        self.longest = 3600
        self.writes_expires_in = "contact"
        """Where the granted time is written: "contact", "field" or "nowhere"."""
        self.bindings: dict[str, float] = {}
        """Contact URIs and when they expire."""

    @property
    def asked(self) -> list[int]:
        """The lifetimes that were asked for, in order."""
        return [_lifetime(request) for request in self.requests]

    def _respond(self, request: Request) -> Iterator[Response]:
        if self.silent:
            return
        challenge = self.challenger.challenge(request, self.world.now) if self.challenger else None
        lifetime = _lifetime(request)
        if challenge is not None:
            yield challenge
        elif self.status != 200:
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
            if granted:
                self.bindings[str(contact.uri)] = self.world.now + granted
        return self._listed(granted)

    def _listed(self, granted: int) -> list[tuple[str, object]]:
        """The header fields of a 200: every binding (§10.3, step 8)."""
        seconds = {uri: round(expiry - self.world.now) for uri, expiry in self.bindings.items()}
        parameters = {uri: f";expires={left}" if self.writes_expires_in == "contact" else ""
                      for uri, left in seconds.items()}  # fmt: skip
        headers: list[tuple[str, object]] = [("Contact", f"<{uri}>{parameters[uri]}") for uri in seconds]
        if self.writes_expires_in == "field":
            headers.append(("Expires", granted))
        return headers


class Proxy(ScriptedPeer):
    """Forwards everything to one host, records its route, and challenges each request of the caller's."""

    def __init__(self, world: World, target: Address, challenger: Challenger) -> None:
        super().__init__(world, "proxy", ("10.0.1.2", PORT))
        self._target = target
        self._challenger = challenger
        self._challenged: set[str | None] = set()
        """The branches of the requests that ended here."""

    def act(self, message: Request | Response, source: Address) -> None:
        if isinstance(message, Response):
            self._return(message)
        elif source == self._target:  # in the dialog, from the callee
            self._forward(message, _address(message.uri.host, message.uri.port))  # type: ignore[union-attr]
        elif self._is_welcome(message, source):
            self._forward(message, self._target)

    def _is_welcome(self, request: Request, source: Address) -> bool:
        if request.method in ("ACK", "CANCEL"):  # are not challenged (§22.1), but follow their INVITE
            return request.via.branch not in self._challenged
        challenge = self._challenger.challenge(request, self.world.now, proxy=True)
        if challenge is not None:
            self._challenged.add(request.via.branch)
            self.send(source, challenge)
        return challenge is None

    def _forward(self, request: Request, address: Address) -> None:
        via = Via("UDP", self.address[0], PORT, Parameters.parse(f";branch={request.via.branch}-p"))
        headers = request.headers.prepend("Via", via).without("Route", "Proxy-Authorization")
        if request.to.tag is None:
            headers = headers.prepend("Record-Route", f"<sip:{self.address[0]};lr>")
        self.send(address, request.replace(headers=headers))

    def _return(self, response: Response) -> None:
        headers = response.headers.with_("Via", *response.vias[1:])
        back = response.vias[1]
        self.send(_address(back.host, back.port), response.replace(headers=headers))


def _address(host: str, port: int | None) -> Address:
    return host, port or PORT


def _lifetime(request: Request) -> int:
    """What a REGISTER asks for: the expires of its Contact, else Expires, else an hour."""
    for contact in request.contacts:
        if (written := contact.parameters.get("expires")) is not None:
            return int(written)
    return 3600 if request.expires is None else request.expires
