"""Peers that do as they are told: no user agent of ours, only the message layer, on hosts of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from sipstack.message import CSeq, NameAddr, Parameters, Request, Response, Via, parse
from sipstack.message.digest import ha1
from sipstack.message.digest_server import DigestServer, Verdict
from sipstack.testing.world import World
from sipstack.transaction.flow import Address

PORT = 5060


class Peer:
    """A host that is found as ``name.test``, keeps what it receives and sends what ``answer`` gives."""

    def __init__(self, world: World, name: str, address: str) -> None:
        self.requests: list[Request] = []
        self.times: list[float] = []
        """When they came."""
        self.responses: list[Response] = []
        self.address: Address = (address, PORT)
        self._news = asyncio.Event()
        self._world = world
        world.names[f"{name}.test"] = [address]

    async def __aenter__(self) -> Self:
        self._endpoint = await self._world.simulated.listen(*self.address, self._received, self._failed)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._endpoint.close()

    @property
    def methods(self) -> list[str]:
        """The methods of the requests so far."""
        return [request.method for request in self.requests]

    async def received(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.requests) < count:
            self._news.clear()
            await self._news.wait()

    def send(self, message: Request | Response, address: Address) -> None:
        """Send a message, whether or not anybody asked for it."""
        self._endpoint.send(bytes(message), address)

    def answer(self, request: Request) -> Iterable[Response]:
        """The responses to ``request``; none here."""
        return ()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def _received(self, data: bytes, source: Address) -> None:
        message = parse(data)
        if isinstance(message, Request):
            self.requests.append(message)
            self.times.append(self.now())
            self._news.set()
            for response in self.answer(message):
                self.send(response, source)
        else:
            self.responses.append(message)

    def _failed(self, address: Address, error: OSError) -> None:
        raise AssertionError(f"{address} cannot be reached: {error}")


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


class Registrar(Peer):
    """Registers whoever comes, at ``registrar.test``. Its attributes may be changed at any time."""

    def __init__(self, world: World, challenger: Challenger | None = None) -> None:
        super().__init__(world, "registrar", "10.0.1.1")
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

    def answer(self, request: Request) -> Iterator[Response]:
        if self.silent:
            return
        challenge = self.challenger.challenge(request, self.now()) if self.challenger else None
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
                self.bindings[str(contact.uri)] = self.now() + granted
        return self._listed(granted)

    def _listed(self, granted: int) -> list[tuple[str, object]]:
        """The header fields of a 200: every binding (§10.3, step 8)."""
        seconds = {uri: round(expiry - self.now()) for uri, expiry in self.bindings.items()}
        parameters = {uri: f";expires={left}" if self.writes_expires_in == "contact" else ""
                      for uri, left in seconds.items()}  # fmt: skip
        headers: list[tuple[str, object]] = [("Contact", f"<{uri}>{parameters[uri]}") for uri in seconds]
        if self.writes_expires_in == "field":
            headers.append(("Expires", granted))
        return headers


class Proxy(Peer):
    """Forwards everything to one host, records its route, and challenges each request of the caller's."""

    def __init__(self, world: World, target: Address, challenger: Challenger) -> None:
        super().__init__(world, "proxy", "10.0.1.2")
        self._target = target
        self._challenger = challenger
        self._challenged: set[str | None] = set()
        """The branches of the requests that ended here."""

    def _received(self, data: bytes, source: Address) -> None:
        message = parse(data)
        if isinstance(message, Response):
            self._return(message)
            return
        self.requests.append(message)
        if source == self._target:  # in the dialog, from the callee
            self._forward(message, _address(message.uri.host, message.uri.port))  # type: ignore[union-attr]
        elif self._is_welcome(message, source):
            self._forward(message, self._target)

    def _is_welcome(self, request: Request, source: Address) -> bool:
        if request.method in ("ACK", "CANCEL"):  # are not challenged (§22.1), but follow their INVITE
            return request.via.branch not in self._challenged
        challenge = self._challenger.challenge(request, self.now(), proxy=True)
        if challenge is not None:
            self._challenged.add(request.via.branch)
            self.send(challenge, source)
        return challenge is None

    def _forward(self, request: Request, address: Address) -> None:
        via = Via("UDP", self.address[0], PORT, Parameters.parse(f";branch={request.via.branch}-p"))
        headers = request.headers.prepend("Via", via).without("Route", "Proxy-Authorization")
        if request.to.tag is None:
            headers = headers.prepend("Record-Route", f"<sip:{self.address[0]};lr>")
        self.send(request.replace(headers=headers), address)

    def _return(self, response: Response) -> None:
        self.responses.append(response)
        headers = response.headers.with_("Via", *response.vias[1:])
        back = response.vias[1]
        self.send(response.replace(headers=headers), _address(back.host, back.port))


def _address(host: str, port: int | None) -> Address:
    return host, port or PORT


def _lifetime(request: Request) -> int:
    """What a REGISTER asks for: the expires of its Contact, else Expires, else an hour."""
    for contact in request.contacts:
        if (written := contact.parameters.get("expires")) is not None:
            return int(written)
    return 3600 if request.expires is None else request.expires


def request_to(address: Address, method: str, source: Address, *headers: tuple[str, object]) -> Request:
    """A request of a peer at ``source`` outside of any dialog, to be sent or changed."""
    lines: list[tuple[str, object]] = [
        ("Via", f"SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK-{method}-1"),
        ("Max-Forwards", 70),
        ("From", f"<sip:peer@{source[0]}>;tag=peer"),
        ("To", f"<sip:{address[0]}>"),
        ("Call-ID", f"scripted-{method}"),
        ("CSeq", CSeq(1, method)),
        ("Contact", NameAddr.parse(f"<sip:peer@{source[0]}:{source[1]}>")),
    ]
    return Request(method, f"sip:{address[0]}:{address[1]}", [*lines, *headers])
