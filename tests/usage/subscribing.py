"""Alice subscribes to carol, who answers by hand."""

from __future__ import annotations

from typing import Any

from sipstack.core.registry import Method, Package
from sipstack.testing.agent import CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.packages.known import package_named
from sipstack.usage.subscriber import SubscriberUsage
from sipstack.usage.subscription_events import Accepted, Notified, Over

ALICE = ("192.0.2.1", 5060)


class Subscribed:
    """A SUBSCRIBE of alice's to carol that is not answered yet, and what she hears."""

    def __init__(self, package: str = "presence", expires: int = 3600, **configuration: Any) -> None:
        self.world = World()
        self.alice = CoreAgent(self.world, "alice", ALICE, **configuration)
        self.carol = ScriptedPeer(self.world, "carol", ("192.0.2.3", 5060))
        self.package = package
        registry = self.alice.core.registry
        registry.add_method(Method("NOTIFY", by_event=True))
        registry.add_package(Package(package, None))
        self.usage: SubscriberUsage = self.alice.core.subscriber(
            self.carol.uri, package_named(package), expires
        )
        self.usage.start(self.world.now)
        self.world.run()

    def notify(
        self,
        cseq: int = 1,
        state: str | None = "active;expires=3600",
        *,
        tag: str = "peer",
        event: str = "",
        body: bytes = b"",
        contact: str = "",
        to_tag: str | None = None,
    ) -> int:
        """Carol's NOTIFY in the dialog that the SUBSCRIBE makes; the status that it is answered with."""
        first = next(request for request in self.carol.requests if request.method == "SUBSCRIBE")
        headers: list[tuple[str, str | None]] = [
            ("From", f"<{first.uri}>;tag={tag}"),
            ("To", first.headers.get("From") if to_tag is None else f"<sip:alice@example.com>;tag={to_tag}"),
            ("Call-ID", first.call_id),
            ("Event", event or self.package),
            ("Subscription-State", "-" if state is None else state),
            ("Contact", contact or f"<{self.carol.uri}>"),
        ]
        if body:
            headers.append(("Content-Type", "text/plain"))
        uri = str(first.contacts[0].uri)
        self.carol.send(ALICE, self.carol.write("NOTIFY", uri, cseq=cseq, headers=headers, body=body))
        return self.carol.response.status

    def answer(self, status: int, to_tag: str | None = None, **more: Any) -> None:
        """Carol's response to the last request."""
        first = self.carol.request.to.tag is None
        self.carol.answer(self.carol.request, status, "peer" if first and to_tag is None else to_tag, **more)

    @property
    def expires(self) -> list[int | None]:
        """What each SUBSCRIBE has asked for; repetitions do not count."""
        heard = {each.cseq.number: each for each in self.carol.requests if each.method == "SUBSCRIBE"}
        return [each.expires for each in heard.values()]

    @property
    def told(self) -> list[str]:
        """What alice's user agent has heard."""
        words = []
        for event in self.alice.events:
            match event:
                case Accepted():
                    words.append("accepted")
                case Notified(source=source, state=state):
                    words.append(f"{state.state} by {source}")
                case Over(state=state, response=response, error=error):
                    why = response.status if response is not None else error
                    words.append(f"over: {state.reason if state is not None else why}")
        return words
