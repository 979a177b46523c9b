"""A scripted far end: it sends what a test writes and keeps what it hears. It has no rules of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sipstack.message import Request, Response, parse
from sipstack.testing.network import Delivery
from sipstack.transaction.flow import Address
from tests.simulation.world import World

SDP = ("Content-Type", "application/sdp")
Fields = Iterable[tuple[str, object]]


class Peer:
    """Someone else's user agent, moved by hand."""

    deadline = math.inf

    def __init__(self, world: World, name: str, address: Address) -> None:
        self.world = world
        self.name = name
        self.address = address
        self.heard: list[Request | Response] = []
        self._source: dict[int, Address] = {}
        self._branches = 0
        world.add(self)

    def timeout(self) -> None:
        """It has no timers."""

    def drain(self) -> bool:
        return False

    def arrived(self, delivery: Delivery) -> None:
        message = parse(delivery.data)
        self.heard.append(message)
        self._source[id(message)] = delivery.source

    # -- what it heard -------------------------------------------------------------------------------------

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@{self.address[0]}:{self.address[1]}"

    @property
    def request(self) -> Request:
        """The latest request that it heard, once everything has happened that happens now."""
        self.world.run()
        return next(message for message in reversed(self.heard) if isinstance(message, Request))

    @property
    def invite(self) -> Request:
        """The latest INVITE that it heard outside of a dialog."""
        self.world.run()
        requests = [message for message in self.heard if isinstance(message, Request)]
        return [each for each in requests if each.method == "INVITE" and each.to.tag is None][-1]

    @property
    def response(self) -> Response:
        """The latest response that it heard, once everything has happened that happens now."""
        self.world.run()
        return next(message for message in reversed(self.heard) if isinstance(message, Response))

    # -- what it says --------------------------------------------------------------------------------------

    def send(self, to: Address, message: Request | Response | bytes) -> None:
        """Send it, between all that happens now before and because of it."""
        self.world.run()
        self.world.send(self.address, to, bytes(message))
        self.world.run()

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
            "Via": f"SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch={branch or self.branch}",
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
