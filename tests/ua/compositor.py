"""A server that keeps what is published (RFC 3903 §6), under an event loop."""

from __future__ import annotations

from collections.abc import Iterable

from sipstack.message import Request, Response
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World


class Compositor(ScriptedPeer):
    """At ``sip:compositor.test``. ``states``: the bodies by entity tag. ``status``: another answer than 200
    to the PUBLISHes that follow.
    """

    def __init__(self, world: World, longest: int = 3600, shortest: int = 60) -> None:
        super().__init__(world, "compositor", on_request=self._publish)
        self.states: dict[str, bytes] = {}
        self.status: int | None = None
        self.longest, self.shortest = longest, shortest
        self.seen: list[str] = []
        """What each PUBLISH was: "initial", "refresh", "modify" or "remove"."""
        self._count = 0

    def _publish(self, request: Request) -> Iterable[Response]:
        known = request.headers.get("SIP-If-Match")
        expires = request.expires if request.expires is not None else 3600
        body = "modify" if request.body else "refresh"
        self.seen.append("initial" if known is None else "remove" if expires == 0 else body)
        if self.status is not None:
            yield request.response(self.status)
        elif known is not None and known not in self.states:
            yield request.response(412)
        elif 0 < expires < self.shortest:
            yield request.response(423, headers=[("Min-Expires", str(self.shortest))])
        else:
            before = b"" if known is None else self.states.pop(known)
            self._count += 1
            tag = f"tag{self._count}"
            if expires:
                self.states[tag] = request.body or before
            granted = str(min(expires, self.longest))
            yield request.response(200, headers=[("SIP-ETag", tag), ("Expires", granted)])
