"""A scripted proxy, which challenges."""

from __future__ import annotations

from sipstack.message import Parameters, Request, Response, Via
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.registrar import Challenger
from sipstack.testing.world import World
from sipstack.transaction.flow import Address

PORT = 5060


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
