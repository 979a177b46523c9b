"""From a next hop to a flow: what is asked of the driver, how often, and who is told (RFC 3263)."""

from __future__ import annotations

import random
from collections import deque

import pytest

from sipstack.core.dns_records import Query
from sipstack.core.outputs import Close, Flow, Open, Output, Question, Resolve, Target, Transport
from sipstack.core.router import MAXIMUM_FLOWS, MAXIMUM_HOPS, MAXIMUM_WAITING, Route, Router
from sipstack.errors import ParseError, SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.transaction.deadlines import Deadlines, Timed
from tests.core.names import LOOK_UP, NAME, found

UDP, TOY, SECURE = (
    Transport("UDP"),
    Transport("TOY", reliable=True),
    Transport("TLS", reliable=True, secure=True, default_port=5061),
)
HERE = ("192.0.2.1", 5060)
HOP = "sip:example.com;transport=toy"
ONE, TWO, THREE = (Target("TOY", (f"198.51.100.{number}", 5060)) for number in (1, 2, 3))
REFUSED = TransportError("connection refused")


def connection(target: Target, number: int = 1) -> Flow:
    """The flow to ``target``, over the connection with this number."""
    return Flow(target.transport, HERE, target.address, reliable=True, connection=number)


class User:
    """Writes down what its route finds."""

    def __init__(self) -> None:
        self.told: list[Flow | str] = []

    def flow_found(self, flow: Flow, now: float) -> None:
        self.told.append(flow)

    def unroutable(self, error: SipError, now: float) -> None:
        self.told.append(f"{type(error).__name__}: {error}")


class Bench:
    """A router that speaks these transports."""

    def __init__(self, *transports: Transport) -> None:
        self.outputs: deque[Output] = deque()
        self.due: Deadlines[Timed] = Deadlines()
        self.router = Router(self.outputs, self.due.schedule, Identifiers(random.Random(1)))
        for transport in transports or (UDP, TOY):
            self.router.speak(transport)

    def route(self, next_hop: str = HOP) -> tuple[Route, User]:
        user = User()
        route = Route(self.router, next_hop, user)
        route.start(0.0)
        return route, user

    def pass_until(self, now: float) -> list[Output]:
        """What the driver is asked for when it is ``now``."""
        for waiting in self.due.due(now):
            waiting.timeout(now)
        return self.asked()

    def asked(self) -> list[Output]:
        """What the driver is asked for since the last look."""
        asked = list(self.outputs)
        self.outputs.clear()
        return asked


@pytest.fixture
def bench() -> Bench:
    return Bench()


# --- no way ---

NO_WAY = [
    (
        (),
        "sip:192.0.2.2",
        "ResolutionError: sip:192.0.2.2: the transport is not available (we have none); "
        "give a proxy or a URI with transport=udp",
    ),
    (
        (UDP, TOY),
        "sip:192.0.2.2;transport=sctp",
        "ResolutionError: sip:192.0.2.2;transport=sctp: the transport is not available (we have toy, udp); "
        "give a proxy or a URI with transport=udp",
    ),
    (
        (UDP, TOY),
        "sips:192.0.2.2",
        "ResolutionError: sips:192.0.2.2: the transport is not available (we have toy, udp); "
        "give a sip: URI, if it need not be secured",
    ),
    ((UDP,), "tel:+15550100", "ResolutionError: cannot send to a tel: URI without a proxy"),
]


@pytest.mark.parametrize(("transports", "next_hop", "told"), NO_WAY)
def test_a_next_hop_to_which_no_endpoint_leads(
    transports: tuple[Transport, ...], next_hop: str, told: str
) -> None:
    router = Router(deque(), Deadlines[Timed]().schedule, Identifiers())
    for transport in transports:
        router.speak(transport)
    user = User()
    Route(router, next_hop, user).start(0.0)
    assert (user.told, router.waiting()) == ([told], [])


def test_a_next_hop_that_is_none(bench: Bench) -> None:
    with pytest.raises(ParseError):
        bench.router.destination("sip:")
    _, user = bench.route("sip:")
    (told,) = user.told
    assert str(told).startswith("ParseError: ")
    assert bench.asked() == []


def test_a_name_without_targets(bench: Bench) -> None:
    _, user = bench.route()
    found(bench.router, NAME, [], 1.0)
    assert user.told == [f"ResolutionError: no address for {HOP}"]
    assert bench.router.waiting() == []


def test_every_target_refuses(bench: Bench) -> None:
    _, user = bench.route()
    found(bench.router, NAME, [ONE, TWO], 1.0)
    bench.router.refused(ONE, TransportError("no route to host"), 2.0)
    bench.router.refused(TWO, REFUSED, 3.0)
    assert bench.asked() == [*LOOK_UP, Open(ONE), Open(TWO)]
    assert user.told == ["TransportError: connection refused"]
    assert bench.router.waiting() == []


# --- both IP families (RFC 8305) ---

SIX = Target("TOY", ("2001:db8::1", 5060))


def test_an_address_of_the_other_family_is_tried_beside_a_slow_one(bench: Bench) -> None:
    _, user = bench.route()
    found(bench.router, NAME, [SIX, ONE], 1.0)
    assert bench.asked() == [*LOOK_UP, Open(SIX)]
    assert bench.pass_until(1.24) == []
    assert bench.pass_until(1.25) == [Open(ONE)]
    bench.router.opened(ONE, connection(ONE), 1.3)
    assert user.told == [connection(ONE)]
    bench.router.opened(SIX, connection(SIX, 2), 9.0)
    assert user.told == [connection(ONE)]
    assert bench.router.flows[SIX] == connection(SIX, 2)  # the next request may take it


def test_the_first_one_wins_when_it_is_there_in_time(bench: Bench) -> None:
    _, user = bench.route()
    found(bench.router, NAME, [SIX, ONE], 1.0)
    bench.router.opened(SIX, connection(SIX), 1.2)
    assert bench.pass_until(2.0) == [*LOOK_UP, Open(SIX)]
    assert user.told == [connection(SIX)]


def test_one_that_refuses_is_followed_at_once(bench: Bench) -> None:
    bench.route()
    found(bench.router, NAME, [SIX, ONE], 1.0)
    bench.router.refused(SIX, REFUSED, 1.1)
    assert bench.asked() == [*LOOK_UP, Open(SIX), Open(ONE)]
    assert bench.pass_until(9.0) == []


def test_while_one_is_being_opened_the_refusal_of_the_other_is_not_the_end(bench: Bench) -> None:
    _, user = bench.route()
    found(bench.router, NAME, [SIX, ONE], 1.0)
    bench.pass_until(1.3)
    bench.router.refused(ONE, REFUSED, 1.4)
    assert user.told == []
    bench.router.refused(SIX, TransportError("no route to host"), 1.5)
    assert user.told == ["TransportError: no route to host"]


def test_an_address_of_the_same_family_waits_for_the_refusal(bench: Bench) -> None:
    bench.route()
    found(bench.router, NAME, [ONE, TWO, SIX], 1.0)
    assert bench.pass_until(9.0) == [*LOOK_UP, Open(ONE)]


def test_who_gives_up_meanwhile_tries_no_other(bench: Bench) -> None:
    route, user = bench.route()
    found(bench.router, NAME, [SIX, ONE], 1.0)
    route.abandon()
    assert bench.pass_until(9.0) == [*LOOK_UP, Open(SIX)]
    bench.router.refused(SIX, REFUSED, 9.0)
    assert (user.told, bench.asked()) == ([], [])


# --- which transport ---

PORT = Question("TOY", "example.com", 5080, has_port=True, has_transport=True)
WAYS = [
    ((UDP, TOY), "sip:192.0.2.2", Target("UDP", ("192.0.2.2", 5060))),
    ((TOY, UDP), "sip:192.0.2.2", Target("UDP", ("192.0.2.2", 5060))),
    ((TOY,), "sip:192.0.2.2", Target("TOY", ("192.0.2.2", 5060))),
    ((UDP, TOY), "sip:192.0.2.2;transport=toy", Target("TOY", ("192.0.2.2", 5060))),
    ((UDP, TOY), "<sip:192.0.2.2:5070;transport=TOY;lr>", Target("TOY", ("192.0.2.2", 5070))),
    ((UDP, SECURE), "sips:192.0.2.2", Target("TLS", ("192.0.2.2", 5061), "192.0.2.2")),
    ((UDP, SECURE), "sip:192.0.2.2;transport=tls", Target("TLS", ("192.0.2.2", 5061), "192.0.2.2")),
    ((UDP, SECURE), "sips:example.com", Question("TLS", "example.com", 5061, secure=True)),
    (
        (UDP, TOY),
        "sip:example.com:5080;transport=toy",
        PORT,
    ),
]


@pytest.mark.parametrize(("transports", "next_hop", "where"), WAYS)
def test_the_transports_are_those_of_the_endpoints(
    transports: tuple[Transport, ...], next_hop: str, where: Target | Question
) -> None:
    bench = Bench(*transports)
    assert bench.router.destination(next_hop) == where
    bench.route(next_hop)
    asked = bench.asked()
    if isinstance(where, Target):
        assert asked == [Open(where)]
    else:
        assert {
            each.query.name.removeprefix("_sips._tcp.") for each in asked if isinstance(each, Resolve)
        } == {"example.com"}


def test_an_endpoint_that_comes_later_is_taken() -> None:
    bench = Bench(TOY)
    toy, udp = (Target(name, ("192.0.2.2", 5060)) for name in ("TOY", "UDP"))
    assert bench.router.destination("sip:192.0.2.2") == toy
    bench.router.speak(UDP)
    assert bench.router.destination("sip:192.0.2.2") == udp


# --- once for many ---


def test_one_look_up_and_one_opening_serve_all_that_wait(bench: Bench) -> None:
    users = [bench.route()[1] for _ in range(3)]
    assert bench.asked() == LOOK_UP
    assert [repr(route) for route in bench.router.waiting()] == [f"<Route to {HOP}>"] * 3
    found(bench.router, NAME, [ONE], 1.0)
    users += [bench.route(f"sip:{ONE.address[0]};transport=toy")[1]]
    assert bench.asked() == [Open(ONE)]
    assert len(bench.router.waiting()) == 4
    bench.router.opened(ONE, connection(ONE), 2.0)
    assert [user.told for user in users] == [[connection(ONE)]] * 4
    assert (bench.asked(), bench.router.waiting()) == ([], [])


def test_a_refusal_is_told_to_all_and_each_goes_on_to_its_next_target(bench: Bench) -> None:
    _, first = bench.route()
    _, second = bench.route("sip:example.net;transport=toy")
    _, third = bench.route(f"sip:{ONE.address[0]};transport=toy")
    found(bench.router, NAME, [ONE, TWO], 1.0)
    found(bench.router, Question("TOY", "example.net", 5060, has_transport=True), [ONE, THREE], 1.0)
    bench.asked()
    bench.router.refused(ONE, REFUSED, 2.0)
    assert bench.asked() == [Open(TWO), Open(THREE)]
    assert third.told == ["TransportError: connection refused"]
    bench.router.opened(TWO, connection(TWO), 3.0)
    bench.router.opened(THREE, connection(THREE), 3.0)
    assert (first.told, second.told) == ([connection(TWO)], [connection(THREE)])


def test_the_number_that_waits_for_one_connection_is_bounded(bench: Bench) -> None:
    hop = f"sip:{ONE.address[0]};transport=toy"
    users = [bench.route(hop)[1] for _ in range(MAXIMUM_WAITING)]
    _, late = bench.route(hop)
    assert late.told == ["TransportError: too many requests wait for this connection"]
    assert bench.asked() == [Open(ONE)]
    bench.router.opened(ONE, connection(ONE), 1.0)
    assert [user.told for user in users] == [[connection(ONE)]] * MAXIMUM_WAITING


def test_a_request_that_was_given_up_hears_no_more(bench: Bench) -> None:
    routes = [bench.route() for _ in range(3)]
    routes[0][0].abandon()
    found(bench.router, NAME, [ONE, TWO], 1.0)
    routes[1][0].abandon()
    bench.router.refused(ONE, REFUSED, 2.0)
    routes[2][0].abandon()
    bench.router.opened(TWO, connection(TWO), 3.0)
    assert [user.told for _, user in routes] == [[], [], []]
    assert bench.asked() == [*LOOK_UP, Open(ONE), Open(TWO)]
    assert bench.router.waiting() == []


def test_given_up_by_all_the_connection_is_kept_for_the_next(bench: Bench) -> None:
    route, _ = bench.route(f"sip:{ONE.address[0]};transport=toy")
    route.abandon()
    bench.router.opened(ONE, connection(ONE), 1.0)
    _, user = bench.route(f"sip:{ONE.address[0]};transport=toy")
    assert (user.told, bench.asked()) == ([connection(ONE)], [Open(ONE)])


# --- the order of the targets ---

PRIORITIES = [
    ([(ONE, 0), (TWO, 0), (THREE, 0)], [ONE, TWO, THREE]),
    ([(ONE, 20), (TWO, 10), (THREE, 30)], [TWO, ONE, THREE]),
    ([(ONE, 20), (TWO, 10), (THREE, 10)], [TWO, THREE, ONE]),
]


@pytest.mark.parametrize(("targets", "order"), PRIORITIES)
def test_targets_are_tried_by_priority(targets: list[tuple[Target, int]], order: list[Target]) -> None:
    bench = Bench()
    _, user = bench.route()
    answer = [Target(each.transport, each.address, priority=priority) for each, priority in targets]
    found(bench.router, NAME, answer, 1.0)
    for target in order:
        bench.router.refused(target, REFUSED, 2.0)
    assert bench.asked() == [*LOOK_UP, *map(Open, order)]
    assert user.told == ["TransportError: connection refused"]


def test_a_target_that_was_refused_is_tried_last_by_the_next(bench: Bench) -> None:
    for _ in range(2):
        bench.route()
        found(bench.router, NAME, [ONE, TWO], 1.0)
        bench.router.refused(ONE, REFUSED, 1.0)
    assert bench.asked() == [*LOOK_UP, Open(ONE), Open(TWO), *LOOK_UP]
    bench.router.opened(TWO, connection(TWO), 2.0)
    _, user = bench.route()
    found(bench.router, NAME, [ONE, TWO], 3.0)
    assert (user.told, bench.asked()) == ([connection(TWO)], LOOK_UP)


# --- what is remembered ---


def test_a_flow_that_is_known_is_not_opened_again(bench: Bench) -> None:
    hop = f"sip:{ONE.address[0]};transport=toy"
    assert bench.router.known(hop) is None
    bench.route(hop)
    assert bench.router.known(hop) is None
    bench.router.opened(ONE, connection(ONE), 1.0)
    assert bench.router.known(hop) == connection(ONE)
    assert bench.router.known(f"<{hop}>") is None  # not asked yet, so not remembered
    _, user = bench.route(f"<{hop}>")
    assert (user.told, bench.asked()) == ([connection(ONE)], [Open(ONE)])


def test_a_name_is_looked_up_for_each_request(bench: Bench) -> None:
    """How long its answer may be kept, only who looks it up knows."""
    bench.route()
    found(bench.router, NAME, [ONE], 1.0)
    bench.router.opened(ONE, connection(ONE), 1.0)
    _, user = bench.route()
    assert (bench.router.known(HOP), user.told) == (None, [])
    found(bench.router, NAME, [TWO], 2.0)
    bench.router.opened(TWO, connection(TWO), 2.0)
    assert user.told == [connection(TWO)]
    assert bench.asked() == [*LOOK_UP, Open(ONE), *LOOK_UP, Open(TWO)]


def test_next_hops_remembered_are_bounded(bench: Bench) -> None:
    for number in range(MAXIMUM_HOPS + 10):
        bench.router.destination(f"sip:{number}@192.0.2.2")
    bench.router.destination("sip:" + "a" * 200 + "@192.0.2.2")
    assert len(bench.router._hops) == 10


def test_flows_remembered_are_bounded(bench: Bench) -> None:
    targets = [Target("UDP", ("198.51.100.1", port)) for port in range(1, MAXIMUM_FLOWS + 2)]
    for target in targets:
        bench.router.opened(target, Flow("UDP", HERE, target.address), 0.0)
    again = targets[-1]
    bench.router.opened(again, Flow("UDP", HERE, again.address), 0.0)  # nobody has to go for it
    assert list(bench.router.flows) == targets[1:]


def test_a_connection_that_is_not_remembered_any_more_is_open_still(bench: Bench) -> None:
    """A dialog may go on over it."""
    bench.router.opened(ONE, connection(ONE), 0.0)
    for port in range(1, MAXIMUM_FLOWS + 1):
        target = Target("UDP", ("198.51.100.9", port))
        bench.router.opened(target, Flow("UDP", HERE, target.address), 0.0)
    assert (ONE in bench.router.flows, bench.router.is_open(connection(ONE))) == (False, True)
    bench.router.forget(connection(ONE))
    assert not bench.router.is_open(connection(ONE))


# --- connections that come and go ---


def test_a_connection_that_a_peer_has_opened_is_taken_by_requests_to_its_address(bench: Bench) -> None:
    bench.router.accepted(connection(ONE))
    _, user = bench.route(f"sip:{ONE.address[0]};transport=toy")
    assert (user.told, bench.asked()) == ([connection(ONE)], [])


def test_a_connection_that_a_peer_has_opened_proves_no_name() -> None:
    """The certificate of its client, if any, was not checked against the name of our URI (RFC 5923 §9)."""
    bench = Bench(SECURE)
    address = ("198.51.100.1", 5061)
    bench.router.accepted(Flow("TLS", HERE, address, reliable=True, secure=True, connection=1))
    bench.route("sips:198.51.100.1")
    assert bench.asked() == [Open(Target("TLS", address, "198.51.100.1"))]


def test_two_names_at_one_address_have_connections_of_their_own() -> None:
    bench = Bench(SECURE)
    address = ("198.51.100.1", 5061)
    targets = [Target("TLS", address, domain) for domain in ("a.example", "b.example")]
    for number, target in enumerate(targets):
        _, user = bench.route(f"sips:{target.domain}")
        found(bench.router, Question("TLS", target.domain, 5061, secure=True), [target], 0.0)
        flow = Flow("TLS", HERE, address, reliable=True, secure=True, connection=number)
        bench.router.opened(target, flow, 0.0)
        assert user.told == [flow]
        assert user.told[0].connection == number  # type: ignore[union-attr]
    assert [output for output in bench.asked() if isinstance(output, Open)] == [
        Open(each) for each in targets
    ]


def test_a_connection_that_is_gone_is_opened_again(bench: Bench) -> None:
    hop = f"sip:{ONE.address[0]};transport=toy"
    bench.route(hop)
    bench.router.opened(ONE, connection(ONE, 1), 0.0)
    bench.router.forget(connection(ONE, 1))
    assert (bench.router.known(hop), bench.router.is_open(connection(ONE, 1))) == (None, False)
    _, user = bench.route(hop)
    bench.router.opened(ONE, connection(ONE, 2), 1.0)
    assert user.told == [connection(ONE, 2)]
    assert bench.asked() == [Open(ONE), Open(ONE)]


def test_late_news_of_an_old_connection_leaves_its_successor_alone(bench: Bench) -> None:
    old, new = connection(ONE, 1), connection(ONE, 2)
    bench.router.opened(ONE, old, 0.0)
    bench.router.opened(ONE, new, 1.0)
    for _ in range(2):
        bench.router.forget(old)
        assert bench.router.flows == {ONE: new}
        assert (bench.router.is_open(old), bench.router.is_open(new)) == (False, True)


def test_closing_is_asked_of_the_driver_and_no_request_takes_it_any_more(bench: Bench) -> None:
    hop = f"sip:{ONE.address[0]};transport=toy"
    bench.route(hop)
    bench.router.opened(ONE, connection(ONE), 0.0)
    bench.asked()
    bench.router.close(connection(ONE))
    bench.route(hop)
    assert bench.asked() == [Close(connection(ONE)), Open(ONE)]
    assert not bench.router.is_open(connection(ONE))


def test_datagrams_always_go(bench: Bench) -> None:
    flow = Flow("UDP", HERE, ONE.address)
    assert bench.router.is_open(flow)
    bench.router.opened(Target("UDP", ONE.address), flow, 0.0)
    bench.router.forget(flow)
    assert bench.router.is_open(flow)


# --- the IP families of our endpoints ---


@pytest.mark.parametrize(
    ("families", "asked"),
    [([("A",)], ["A"]), ([("AAAA",)], ["AAAA"]), ([("A",), ("AAAA",)], ["AAAA", "A"])],
)
def test_addresses_are_asked_for_that_one_of_our_endpoints_reaches(
    families: list[tuple[str, ...]], asked: list[str]
) -> None:
    bench = Bench(*(Transport("UDP", families=each) for each in families))
    bench.route("sip:example.com:5060")
    assert bench.asked() == [Resolve(Query("example.com", kind)) for kind in asked]
