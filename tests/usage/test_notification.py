"""The notifier's side of RFC 6665, towards subscribers that behave as they like."""

from __future__ import annotations

import pytest

from sipstack.core.events import Event
from sipstack.core.registry import Method, Package, Serve
from sipstack.dialog.usages import MAXIMUM_USAGES
from sipstack.message import Request
from sipstack.message.headers import HeaderFields
from sipstack.testing.agent import CoreAgent
from sipstack.testing.ladders import ladder, timed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import NOBODY
from sipstack.usage.notification import Asked, NotifierUsage, StateDue, WatcherGone, WatcherUsage
from sipstack.usage.packages.known import package_named
from sipstack.usage.subscribe_server import SubscribeServer
from tests.simulation.pair import established

BOB = ("192.0.2.2", 5060)
PENDING = object()


class Served:
    """Bob tells his presence to carol, who subscribes by hand."""

    def __init__(self, *, verdict: int | object = 200, **configuration: int) -> None:
        self.world = World()
        self.bob = CoreAgent(self.world, "bob", BOB, **configuration)
        self.carol = ScriptedPeer(self.world, "carol", ("192.0.2.3", 5060))
        self.notifier = NotifierUsage(self.bob.core, package_named("presence"), 60, 3600)
        self.notifier.user = self
        self.verdict = verdict
        self.body: bytes | None = b"open"
        registry = self.bob.core.registry
        server = SubscribeServer(self.bob.core, {"presence": self.notifier})
        registry.add_method(Method("SUBSCRIBE", server.serve, by_event=True))
        registry.add_package(Package("presence", self))
        self.bob.on_event = self._hears

    def _hears(self, event: Event | Asked | StateDue | WatcherGone) -> None:
        now = self.world.now
        match event:
            case Asked(watcher=watcher) if self.verdict in (200, PENDING):
                watcher.accept(now, active=self.verdict == 200)
            case Asked(watcher=watcher):
                assert isinstance(self.verdict, int)
                watcher.refuse(self.verdict, now)
            case StateDue(watcher=watcher):
                watcher.tell(self.body, now)

    def subscribe(self, *headers: tuple[str, str], cseq: int = 1, again: bool = False) -> Request:
        """Carol's SUBSCRIBE; ``again``: inside of the dialog."""
        fields: HeaderFields = (("Event", "presence"), *headers)
        if again:
            answer = next(each for each in self.carol.responses if each.cseq.method == "SUBSCRIBE")
            request = self.carol.inside(answer, "SUBSCRIBE", cseq, headers=fields)
        else:
            request = self.carol.write("SUBSCRIBE", self.bob.uri, headers=fields)
        self.carol.send(BOB, request)
        return request

    def answer(self, status: int, headers: HeaderFields = ()) -> None:
        """Carol's response to the last NOTIFY."""
        self.carol.answer(self.carol.request, status, None, headers=headers)

    @property
    def watcher(self) -> WatcherUsage:
        return self.bob.last(Asked).watcher

    @property
    def states(self) -> list[str | None]:
        """The Subscription-State of each NOTIFY; repetitions do not count."""
        heard = {each.cseq.number: each for each in self.carol.requests if each.method == "NOTIFY"}
        return [each.headers.get("Subscription-State") for each in heard.values()]

    @property
    def gone(self) -> list[str]:
        return [str(event.error) for event in self.bob.events if isinstance(event, WatcherGone)]


# --- what is refused ---


@pytest.mark.parametrize(
    ("header", "status", "told"),
    [
        (("Event", "moon"), 489, ("Allow-Events", "presence")),
        (("Event", "@"), 400, None),
        (("Accept", "text/plain"), 406, None),
        (("Expires", "59"), 423, ("Min-Expires", "60")),
        (("Expires", "x"), 400, None),
        (("Contact", "-"), 400, None),
        (("Require", "moon"), 420, ("Unsupported", "moon")),
    ],
)
def test_a_subscribe_that_is_refused_whoever_sends_it(
    header: tuple[str, str], status: int, told: tuple[str, str] | None
) -> None:
    it = Served()
    it.subscribe(header)
    assert it.carol.response.status == status
    assert told is None or it.carol.response.headers.get(told[0]) == told[1]
    it.world.settle()
    assert (it.bob.leftovers, it.bob.events) == ([], [])


def test_one_that_may_not_know_is_refused() -> None:
    it = Served(verdict=403)
    it.subscribe()
    it.world.settle()
    assert (it.carol.response.status, it.states, it.bob.leftovers) == (403, [], [])


def test_dialogs_are_bounded() -> None:
    it = Served(maximum_dialogs=0)
    it.subscribe()
    assert (it.carol.response.status, it.carol.response.headers.get("Retry-After")) == (503, "10")


@pytest.mark.parametrize("accept", ["application/pidf+xml", "*/*", "application/*, text/plain"])
def test_what_is_acceptable(accept: str) -> None:
    it = Served()
    it.subscribe(("Accept", accept))
    assert it.carol.responses[0].status == 200


# --- the subscription ---


def test_from_beginning_to_end() -> None:
    it = Served()
    it.carol.on_request = lambda request: [request.response(200)]
    it.subscribe(("Expires", "600"), ("Record-Route", "<sip:192.0.2.3;lr>"))
    it.world.run(100)
    it.watcher.changed(it.world.now)
    it.world.run(100)
    it.subscribe(("Expires", "300"), cseq=2, again=True)
    it.world.run(100)
    it.subscribe(("Expires", "0"), cseq=3, again=True)
    it.world.settle()
    assert it.world.timed_ladder() == timed("""
        0.0     carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [1]
        0.0     bob -> carol    200 OK [1 SUBSCRIBE]
        0.0     bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [1]
        0.0     carol -> bob    200 OK [1 NOTIFY]
        100.0   bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [2]
        100.0   carol -> bob    200 OK [2 NOTIFY]
        200.0   carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [2]
        200.0   bob -> carol    200 OK [2 SUBSCRIBE]
        200.0   bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [3]
        200.0   carol -> bob    200 OK [3 NOTIFY]
        300.0   carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [3]
        300.0   bob -> carol    200 OK [3 SUBSCRIBE]
        300.0   bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [4]
        300.0   carol -> bob    200 OK [4 NOTIFY]
    """)
    assert it.states == [
        "active;expires=600",
        "active;expires=500",
        "active;expires=300",
        "terminated;reason=timeout",
    ]
    first = it.carol.responses[0]
    assert (first.headers.get("Record-Route"), first.expires) == ("<sip:192.0.2.3;lr>", 600)
    last = it.carol.request
    assert (last.headers.get("Route"), last.body) == ("<sip:192.0.2.3;lr>", b"open")
    assert (it.gone, it.bob.leftovers) == (["None"], [])


@pytest.mark.parametrize(("asked", "granted"), [("9999999", 3600), ("60", 60), ("-", 3600)])
def test_how_long_it_lasts(asked: str, granted: int) -> None:
    it = Served()
    it.subscribe(("Expires", asked))
    assert (it.carol.responses[0].expires, it.states) == (granted, [f"active;expires={granted}"])


def test_one_that_is_not_refreshed_ends() -> None:
    it = Served()
    it.carol.on_request = lambda request: [request.response(200)]
    it.subscribe(("Expires", "60"))
    it.world.run(59)
    assert it.states == ["active;expires=60"]
    it.world.settle()
    assert it.states == ["active;expires=60", "terminated;reason=timeout"]
    assert it.bob.leftovers == []


def test_what_is_pending_tells_nothing_until_it_is_approved() -> None:
    it = Served(verdict=PENDING)
    it.body = None
    it.carol.on_request = lambda request: [request.response(200)]
    it.subscribe()
    it.body = b"open"
    it.world.run()
    it.watcher.approve(it.world.now)
    it.watcher.approve(it.world.now)
    it.world.run()
    bodies = [each.body for each in it.carol.requests]
    assert (it.states, bodies) == (["pending;expires=3600", "active;expires=3600"], [b"", b"open"])


def test_the_id_of_the_event_is_kept() -> None:
    it = Served()
    it.subscribe(("Event", "presence;id=7"))
    assert it.carol.request.headers.get("Event") == "presence;id=7"


# --- NOTIFYs that are not answered with 200 ---


@pytest.mark.parametrize("status", [404, 481, 489, 501, 603])
def test_a_subscriber_that_does_not_know_the_subscription(status: int) -> None:
    """§4.2.2"""
    it = Served()
    it.subscribe()
    it.answer(status)
    it.world.settle()
    assert (len(it.gone), it.gone[0][:3], it.bob.leftovers) == (1, str(status), [])


def test_a_subscriber_that_is_not_there() -> None:
    it = Served()
    it.subscribe()
    it.world.settle()
    assert (len(it.gone), it.bob.leftovers) == (1, [])


def test_a_subscriber_that_cannot_read_one_state_is_told_the_next() -> None:
    it = Served()
    it.subscribe()
    it.answer(415)
    it.watcher.changed(it.world.now)
    it.answer(200)
    assert (it.states, it.gone) == (["active;expires=3600"] * 2, [])


def test_not_now_is_tried_again_with_the_state_as_it_is_then() -> None:
    it = Served()
    it.subscribe()
    it.answer(500)
    it.body = b"closed"
    it.watcher.changed(it.world.now)
    it.world.run(0.6)
    assert (it.carol.request.body, len(it.states)) == (b"closed", 2)
    it.answer(503, headers=(("Retry-After", "20"),))
    it.world.run(19)
    assert len(it.states) == 2
    it.world.run(2)
    assert len(it.states) == 3
    it.answer(200)
    it.world.run(100)
    assert (len(it.states), it.gone) == (3, [])


def test_not_now_for_ever_is_the_end() -> None:
    it = Served()
    it.carol.on_request = lambda request: [request.response(503)]
    it.subscribe()
    it.world.settle()
    assert (len(it.states), it.gone, it.bob.leftovers) == (6, ["503 Service Unavailable"], [])


def test_one_notify_is_under_way_at_a_time_and_the_last_state_counts() -> None:
    it = Served()
    it.subscribe()
    for body in (b"1", b"2", b"3"):
        it.body = body
        it.watcher.changed(it.world.now)
    it.world.run(1)
    assert len(it.states) == 1
    it.answer(200)
    assert (it.carol.request.body, len(it.states)) == (b"3", 2)


def test_the_end_waits_for_the_notify_under_way() -> None:
    it = Served()
    it.subscribe()
    it.watcher.end("deactivated", it.world.now, 5)
    it.watcher.end("rejected", it.world.now)
    assert it.states == ["active;expires=3600"]
    it.subscribe(cseq=2, again=True)
    assert it.carol.response.status == 481  # it is over
    it.answer(200)
    assert it.states[1:] == ["terminated;reason=deactivated;retry-after=5"]
    it.answer(200)
    it.world.settle()
    assert (it.gone, it.bob.leftovers) == (["None"], [])


def test_a_subscribe_that_is_repeated_is_one_subscription() -> None:
    it = Served()
    request = it.subscribe()
    it.carol.send(BOB, request)
    assert it.world.ladder() == ladder("""
        carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 SUBSCRIBE]
        bob -> carol    NOTIFY sip:carol@192.0.2.3:5060 [1]
        carol -> bob    SUBSCRIBE sip:bob@192.0.2.2:5060 [1]
        bob -> carol    200 OK [1 SUBSCRIBE]
    """)


def test_inside_of_a_call_which_may_end_first() -> None:
    """RFC 5057 §4.1: both share a dialog, and each ends for itself."""
    world = World()
    alice, bob = established(world)
    notifier = NotifierUsage(bob.core, package_named("presence"), 60, 3600)
    server = SubscribeServer(bob.core, {"presence": notifier})
    bob.core.registry.add_method(Method("SUBSCRIBE", server.serve, by_event=True))
    bob.core.registry.add_package(Package("presence", notifier))
    alice.core.registry.add_package(Package("presence", notifier))
    alice.core.registry.add_method(Method("NOTIFY", serve_200(alice), by_event=True))
    bob.on_event = lambda event: hear(event, world)
    host = alice.session.usages
    draft = host.draft("SUBSCRIBE", (("Event", "presence;id=7"), ("Expires", "60")), contact=True)
    alice.core.send(draft, NOBODY, world.now, host)
    world.run()
    alice.hang_up()
    world.run(70)
    assert [line for line in world.ladder() if "NOTIFY" in line or "BYE" in line] == ladder("""
        bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [1]
        alice -> bob    200 OK [1 NOTIFY]
        alice -> bob    BYE sip:bob@192.0.2.2:5060 [3]
        bob -> alice    200 OK [3 BYE]
        bob -> alice    NOTIFY sip:alice@192.0.2.1:5060 [2]
        alice -> bob    481 Call/Transaction Does Not Exist [2 NOTIFY]
    """)
    world.settle()
    assert bob.leftovers == []


def serve_200(agent: CoreAgent) -> Serve:
    def serve(request: Request, transaction: AnyServer, now: float) -> None:
        agent.core.respond(transaction, request.response(200), now)

    return serve


def hear(event: Event | Asked | StateDue, world: World) -> None:
    if isinstance(event, Asked):
        event.watcher.accept(world.now)
    elif isinstance(event, StateDue):
        event.watcher.tell(b"", world.now)


def test_a_dialog_has_only_so_many_subscriptions() -> None:
    """Each id is one of its own (§4.5.2): a stranger could add them without end."""
    served = Served()
    served.subscribe()
    for number in range(2, MAXIMUM_USAGES + 3):
        served.subscribe(("Event", f"presence;id={number}"), cseq=number, again=True)
    told = [each.status for each in served.carol.responses if each.cseq.method == "SUBSCRIBE"]
    assert told == [200] * MAXIMUM_USAGES + [503] * 2
    served.subscribe(("Event", "presence;id=2"), cseq=99, again=True)  # a refresh goes on
    assert served.carol.response.status == 200
