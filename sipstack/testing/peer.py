"""A scripted far end: it sends what a test writes and keeps what it hears. It has no rules of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self

from sipstack.message import Request, Response, parse
from sipstack.testing.network import authority
from sipstack.transaction.flow import Address

if TYPE_CHECKING:
    from sipstack.testing.loopback import Loopback
    from sipstack.testing.world import World

SDP = ("Content-Type", "application/sdp")
Fields = Iterable[tuple[str, object]]


class ScriptedPeer:
    """Another's user agent or proxy, which does as it is told: only messages, no transactions and no timers.

    It is on the network at once, at ``address`` or else at port 5060 of a host of its own, found as
    ``name.test``, until ``close``; as a context manager it closes itself. In place of a world, ``Loopback``
    gives it a UDP port of this machine, for an application that runs outside of any world.

    Answer by hand (``answer``), or give it ``on_request``, which returns the responses to each request at the
    moment that it comes.

    Without an event loop each look at what it heard, and each message that it sends, first lets everything
    happen that happens now. Under one, await ``received`` or ``responded`` before you look.
    """

    def __init__(
        self,
        world: World | Loopback,
        name: str,
        address: Address | None = None,
        *,
        on_request: Callable[[Request], Iterable[Response]] = lambda request: (),
    ) -> None:
        self.world = world
        self.name = name
        self.heard: list[Request | Response] = []
        self.times: list[float] = []
        """When each request came, in seconds."""
        self.refused: list[Address] = []
        """Where nobody listened to what we sent, in a world with ``icmp``."""
        self.on_request = on_request
        self._source: dict[int, Address] = {}
        self._branches = 0
        self._news = asyncio.Event()
        self._endpoint = world.listen(name, address, self._arrived, self._refused)
        self.address = self._endpoint.local

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the network."""
        self._endpoint.close()

    def _arrived(self, data: bytes, source: Address) -> None:
        if data and not data.strip(b"\r\n"):
            return  # a keep-alive
        message = parse(data)
        self.heard.append(message)
        self._source[id(message)] = source
        if isinstance(message, Request):
            self.times.append(self.world.now)
        self._news.set()
        self.act(message, source)

    def _refused(self, remote: Address, error: OSError) -> None:
        self.refused.append(remote)

    # -- what it heard -------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        """Where it is reached."""
        return f"sip:{self.name}@{authority(self.address)}"

    async def received(self, count: int) -> None:
        """Wait until ``count`` requests have come in all, under an event loop."""
        while len(self.requests) < count:
            await self._next_message()

    async def responded(self, count: int) -> None:
        """Wait until ``count`` responses have come in all, under an event loop."""
        while len(self.responses) < count:
            await self._next_message()

    async def _next_message(self) -> None:
        self._news.clear()
        await self._news.wait()

    @property
    def requests(self) -> list[Request]:
        """Every request that it heard, in order."""
        self.world.catch_up()
        return [message for message in self.heard if isinstance(message, Request)]

    @property
    def responses(self) -> list[Response]:
        """Every response that it heard, in order."""
        self.world.catch_up()
        return [message for message in self.heard if isinstance(message, Response)]

    @property
    def methods(self) -> list[str]:
        """The methods of the requests, in order."""
        return [request.method for request in self.requests]

    @property
    def request(self) -> Request:
        """The latest request."""
        return self.requests[-1]

    @property
    def invite(self) -> Request:
        """The latest INVITE outside of a dialog."""
        return [each for each in self.requests if each.method == "INVITE" and each.to.tag is None][-1]

    @property
    def response(self) -> Response:
        """The latest response."""
        return self.responses[-1]

    # -- what it does --------------------------------------------------------------------------------------

    def act(self, message: Request | Response, source: Address) -> None:
        """Answer a request that has come, as ``on_request`` says. A subclass may forward it instead."""
        if isinstance(message, Request):
            for response in self.on_request(message):
                self.send(source, response)

    # -- what it says --------------------------------------------------------------------------------------

    def send(self, to: Address, message: Request | Response | bytes) -> None:
        """Send it, right or wrong, whether or not anybody asked for it."""
        self.world.catch_up()
        self._endpoint.send(bytes(message), to)
        self.world.catch_up()

    def answer(
        self,
        request: Request,
        status: int,
        to_tag: str | None = "peer",
        *,
        contact: str = "",
        headers: Fields = (),
        body: bytes = b"",
    ) -> Response:
        """Respond to a request that was heard; ``contact`` is ours unless given, "-" means none."""
        lines = [] if contact == "-" else [("Contact", contact or f"<{self.uri}>")]
        content = [SDP] if body else []
        response = request.response(status, to_tag=to_tag, headers=[*lines, *headers, *content], body=body)
        self.send(self._source[id(request)], response)
        return response

    def write(
        self,
        method: str,
        uri: str,
        *,
        body: bytes = b"",
        headers: Fields = (),
        to: str = "",
        cseq: int = 1,
        tag: str = "peer",
        call_id: str = "",
        branch: str = "",
    ) -> Request:
        """A request of ours, not sent yet. ``headers`` replace the usual fields of their names."""
        self._branches += 1
        fields: dict[str, object] = {
            "Via": f"SIP/2.0/UDP {authority(self.address)};branch={branch or self.branch}",
            "Max-Forwards": 70,
            "From": f"<sip:{self.name}@example.com>;tag={tag}",
            "To": to or f"<{uri}>",
            "Call-ID": call_id or f"call-of-{self.name}",
            "CSeq": f"{cseq} {method}",
            "Contact": f"<{self.uri}>",
        }
        if body:
            fields["Content-Type"] = "application/sdp"
        fields |= dict(headers)
        return Request(method, uri, [(name, value) for name, value in fields.items() if value != "-"], body)

    @property
    def branch(self) -> str:
        return f"z9hG4bK{self.name}{self._branches}"

    def inside(
        self,
        answer: Response,
        method: str,
        cseq: int,
        *,
        body: bytes = b"",
        headers: Fields = (),
        branch: str = "",
    ) -> Request:
        """A request in the dialog of our INVITE that ``answer`` accepted (or is about to)."""
        target, (ours, theirs) = str(answer.contacts[0].uri), _ends(answer)
        fields = [("From", ours), ("To", theirs), ("Call-ID", answer.call_id), *headers]
        return self.write(method, target, cseq=cseq, headers=fields, body=body, branch=branch)

    def back(
        self,
        method: str,
        cseq: int,
        to_tag: str = "peer",
        *,
        body: bytes = b"",
        headers: Fields = (),
    ) -> Request:
        """A request in the dialog of their INVITE, which we answered with ``to_tag``."""
        invite = self.invite
        target, (theirs, ours) = str(invite.contacts[0].uri), _ends(invite.response(200, to_tag=to_tag))
        fields = [("From", ours), ("To", theirs), ("Call-ID", invite.call_id), *headers]
        return self.write(method, target, cseq=cseq, headers=fields, body=body)


def _ends(response: Response) -> tuple[str | None, str | None]:
    return response.headers.get("From"), response.headers.get("To")
