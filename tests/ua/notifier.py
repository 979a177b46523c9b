"""A notifier that behaves as a test wants, under an event loop."""

from __future__ import annotations

from collections.abc import Iterable

from sipstack.message import Request, Response
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World


class ScriptedNotifier(ScriptedPeer):
    """At ``sip:notifier.test``. It takes each SUBSCRIBE and tells the ``body``; ``status``: another answer to
    those that follow; ``ends``: the reason with which each of them is ended at once.
    """

    def __init__(self, world: World) -> None:
        super().__init__(world, "notifier", on_request=self._subscribe)
        self.body = b"one"
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.ends = ""
        self.content_type = "text/plain"
        self.subscribes: list[float] = []
        """When each SUBSCRIBE came."""
        self.calls: list[str] = []
        """The Call-ID of each."""
        self._cseq = 0
        self._last: Request | None = None

    def _subscribe(self, request: Request) -> Iterable[Response]:
        if request.method != "SUBSCRIBE":
            return
        self.subscribes.append(self.world.now)
        self.calls.append(request.call_id)
        tag = request.to.tag or f"tag{len(self.calls)}"
        if self.status is not None:
            yield request.response(self.status, to_tag=tag, headers=self.headers)
            return
        expires = request.expires or 0
        contact = ("Contact", f"<{self.uri}>")
        yield request.response(200, to_tag=tag, headers=[contact, ("Expires", str(expires))])
        self._last, self._tag = request, tag
        over = self.ends or ("timeout" if not expires else "")
        self.notify(f"terminated;reason={over}" if over else f"active;expires={expires}")

    def notify(self, state: str = "active;expires=600") -> None:
        """Tell the last subscriber."""
        assert self._last is not None
        first = self._last
        self._cseq += 1
        headers = [
            ("From", f"<{first.to.uri}>;tag={self._tag}"),
            ("To", first.headers.get("From")),
            ("Call-ID", first.call_id),
            ("Event", first.headers.get("Event")),
            ("Subscription-State", state),
            ("Content-Type", self.content_type),
        ]
        target = str(first.contacts[0].uri)
        address = first.contacts[0].uri
        request = self.write("NOTIFY", target, cseq=self._cseq, headers=headers, body=self.body)
        self.send((address.host, address.port or 5060), request)  # type: ignore[union-attr]
