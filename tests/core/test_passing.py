"""Two nodes of a cluster. The calls are at one; what carol asks comes to two, which passes it on."""

from __future__ import annotations

import re

import attrs
import pytest

from sipstack.core.events import Ended, OfferReceived, SessionResumed
from sipstack.core.passed_request import REST
from sipstack.core.passing import MARK, MOST
from sipstack.core.registry import Method
from sipstack.message import Request, Response, parse
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.transaction.flow import Address, Flow

ONE, TWO, THREE = ("192.0.2.11", 5060), ("192.0.2.12", 5060), ("192.0.2.13", 5060)
CAROL = ("192.0.2.3", 5060)
NODES = {"one": "sip:192.0.2.11:5060", "two": "sip:192.0.2.12:5060", "three": "sip:192.0.2.13:5060"}
AGAIN = b"v=0 again\r\n"


def node(
    world: World, name: str, address: Address, store: SharedStore | None, **options: object
) -> CoreAgent:
    others = {other: uri for other, uri in NODES.items() if other != name}
    agent = CoreAgent(
        world, name, address, store=store, nodes=others, host=f"cluster.test;node={name}", **options
    )
    core = agent.core
    core.registry.add_method(
        Method(
            "INFO", lambda request, transaction, now: core.respond(transaction, request.response(200), now)
        )
    )
    return agent


@attrs.define
class Cluster:
    """A call of carol's is up at one."""

    world: World
    store: SharedStore | None
    one: CoreAgent
    two: CoreAgent
    carol: ScriptedPeer
    answer: Response

    def asks(self, method: str, number: int, **parts: object) -> Request:
        """What carol would say in the call."""
        return self.carol.inside(self.answer, method, number, **parts)  # type: ignore[arg-type]

    def sent(self, source: Address, destination: Address) -> list[Request | Response]:
        """What went from the one to the other."""
        return [
            parse(each.data)
            for each in self.world.sent
            if (each.source, each.destination) == (source, destination)
        ]

    def taken_over(self) -> list[str]:
        return [each.name for each in (self.one, self.two) if "SessionResumed" in each.told]


def in_a_call(
    *, icmp: bool = False, kept: bool = True, link: Link | None = None, **options: object
) -> Cluster:
    world, store = World(link or Link(), icmp=icmp), SharedStore() if kept else None
    one, two = (node(world, name, at, store, **options) for name, at in (("one", ONE), ("two", TWO)))
    carol = ScriptedPeer(world, "carol", CAROL)
    carol.send(ONE, carol.write("INVITE", one.uri, body=OFFER))
    world.run(0.2)
    one.accept()
    world.run(0.2)
    answer = carol.response
    assert answer.status == 200
    carol.send(ONE, carol.inside(answer, "ACK", 1))
    world.run(0.2)
    world.ladder()
    return Cluster(world, store, one, two, carol, answer)


# --- there and back ---


def test_a_request_is_passed_on_to_the_node_that_it_names_and_the_answer_comes_back() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert cluster.world.ladder() == ladder("""
        carol -> two  BYE sip:one@cluster.test;node=one [2]
        two -> one    BYE sip:one@cluster.test;node=one [2]
        one -> two    200 OK [2 BYE]
        two -> carol  200 OK [2 BYE]
    """)
    assert cluster.one.last(Ended).by == "remote"
    assert cluster.taken_over() == []
    cluster.world.settle()
    assert (cluster.one.leftovers, cluster.two.leftovers) == ([], [])


def test_our_via_is_on_top_and_is_taken_off_again() -> None:
    cluster = in_a_call()
    bye = cluster.asks("BYE", 2)
    cluster.carol.send(TWO, bye)
    (passed,) = cluster.sent(TWO, ONE)
    assert isinstance(passed, Request)
    assert re.fullmatch(
        r"SIP/2\.0/UDP 192\.0\.2\.12:5060;branch=z9hG4bKnode-\w{20};rport", str(passed.vias[0])
    )
    assert passed.vias[1] == bye.via
    assert passed.max_forwards == 69
    assert [str(via) for via in cluster.carol.response.vias] == [str(bye.via)]


def test_max_forwards_is_set_where_there_is_none() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.asks("INFO", 2, headers=[("Max-Forwards", "-")]))
    (passed,) = cluster.sent(TWO, ONE)
    assert isinstance(passed, Request)
    assert passed.max_forwards == 70


def test_what_has_no_hop_left_gets_483() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.asks("BYE", 2, headers=[("Max-Forwards", 0)]))
    assert cluster.carol.response.status == 483
    assert cluster.sent(TWO, ONE) == []


def test_the_answer_goes_to_the_port_that_the_request_came_from() -> None:
    """RFC 3581: carol is behind a NAT, and her Via names an address that nobody else knows."""
    cluster = in_a_call()
    via = "SIP/2.0/UDP 10.9.9.9:7777;branch=z9hG4bKnat;rport"
    cluster.carol.send(TWO, cluster.asks("BYE", 2, headers=[("Via", via)]))
    answer = cluster.carol.response
    assert answer.status == 200
    assert (answer.via.received, answer.via.rport) == CAROL


def test_several_vias_come_back_as_they_were() -> None:
    cluster = in_a_call()
    vias = ["SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKtop", "SIP/2.0/TCP behind.test;branch=z9hG4bK1;x=y"]
    bye = cluster.asks("BYE", 2)
    cluster.carol.send(TWO, bye.with_headers(bye.headers.with_("Via", ", ".join(vias))))
    assert [str(via) for via in cluster.carol.response.vias] == vias


def test_a_re_invite_and_its_ack_are_the_owners() -> None:
    cluster = in_a_call()
    carol, one = cluster.carol, cluster.one
    carol.send(TWO, cluster.asks("INVITE", 2, body=AGAIN))
    one.last(OfferReceived).session.accept_offer(ANSWER, cluster.world.now)
    assert carol.response.status == 200
    carol.send(TWO, carol.inside(carol.response, "ACK", 2))
    assert [each.method for each in cluster.sent(TWO, ONE) if isinstance(each, Request)] == ["INVITE", "ACK"]
    cluster.world.run(40.0)  # else it would repeat the 200, and end the call
    assert one.session.is_established


def test_cancel_and_the_ack_of_the_refusal_have_the_branch_of_their_invite() -> None:
    cluster = in_a_call()
    carol = cluster.carol
    invite = cluster.asks("INVITE", 2, body=AGAIN)
    carol.send(TWO, invite)
    branch = invite.via.branch or ""
    carol.send(TWO, cluster.asks("CANCEL", 2, branch=branch))
    assert [(each.status, each.cseq.method) for each in carol.responses][-2:] == [
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    carol.send(TWO, cluster.asks("ACK", 2, branch=branch))
    passed = [each for each in cluster.sent(TWO, ONE) if isinstance(each, Request)]
    assert [each.method for each in passed] == ["INVITE", "CANCEL", "ACK"]
    assert len({each.via.branch for each in passed}) == 1
    cluster.world.ladder()
    cluster.world.run(10.0)
    assert cluster.world.ladder() == []  # the 487 is not repeated
    assert cluster.one.session.is_established


def test_a_copy_is_passed_on_with_the_same_branch() -> None:
    cluster = in_a_call()
    bye = cluster.asks("BYE", 2)
    for _ in range(3):
        cluster.carol.send(TWO, bye)
    branches = {each.via.branch for each in cluster.sent(TWO, ONE)}
    assert len(branches) == 1
    assert [response.status for response in cluster.carol.responses][-3:] == [200, 200, 200]
    assert cluster.taken_over() == []


def test_two_requests_have_two_branches() -> None:
    cluster = in_a_call()
    for number in (2, 3):
        cluster.carol.send(TWO, cluster.asks("INFO", number, branch="z9hG4bKthesame"))
    assert len({each.via.branch for each in cluster.sent(TWO, ONE)}) == 2


def test_requests_of_the_owner_go_straight_to_the_peer() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.asks("INFO", 2))
    cluster.world.ladder()
    cluster.one.hang_up()
    cluster.world.run(0.1)
    assert cluster.world.ladder() == ladder("one -> carol BYE sip:carol@192.0.2.3:5060 [1]")


def test_what_names_us_or_nobody_is_ours() -> None:
    cluster = in_a_call()
    asked = cluster.asks("BYE", 2)
    for uri in ("sip:one@cluster.test;node=two", "sip:one@cluster.test", "sip:one@cluster.test;node"):
        cluster.carol.send(TWO, asked.replace(uri=uri))
    assert cluster.sent(TWO, ONE) == []
    assert cluster.taken_over() == ["two"]


def test_what_begins_something_is_not_passed_on() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.carol.write("OPTIONS", "sip:one@cluster.test;node=one", call_id="new"))
    assert cluster.carol.response.status == 200
    assert cluster.sent(TWO, ONE) == []


# --- who may not ---


def test_a_node_that_was_not_named_to_us_gets_nothing() -> None:
    cluster = in_a_call()
    mallory = ScriptedPeer(cluster.world, "mallory", ("192.0.2.66", 5060))
    bye = cluster.asks("BYE", 2).replace(uri="sip:one@cluster.test;node=192.0.2.66")
    cluster.carol.send(TWO, bye)
    assert mallory.heard == []
    assert cluster.carol.response.status == 200  # taken over, as without affinity


def test_who_invents_a_dialog_hears_481_from_the_node_that_he_names() -> None:
    cluster = in_a_call()
    mallory = ScriptedPeer(cluster.world, "mallory", ("192.0.2.66", 5060))
    uri = "sip:x@cluster.test;node=one"
    mallory.send(TWO, mallory.write("BYE", uri, to=f"<{uri}>;tag=guessed"))
    assert mallory.response.status == 481
    assert cluster.taken_over() == []


def test_a_response_that_nobody_can_expect_goes_nowhere() -> None:
    """Whoever does not see what we pass on cannot guess its branch, and have us send to whom he likes."""
    cluster = in_a_call()
    mallory = ScriptedPeer(cluster.world, "mallory", ("192.0.2.66", 5060))
    cluster.carol.send(TWO, cluster.asks("INFO", 2))
    before = len(cluster.carol.responses)
    bye = cluster.asks("INFO", 2)
    for branch in (MARK, MARK + 20 * "0", "z9hG4bKother"):
        vias = [f"SIP/2.0/UDP 192.0.2.12:5060;branch={branch}", str(bye.via)]
        mallory.send(TWO, bye.with_headers(bye.headers.with_("Via", *vias)).response(200))
    assert len(cluster.carol.responses) == before
    assert cluster.two.core.counters.unmatched == 3


def test_what_was_passed_on_once_is_not_passed_on_again() -> None:
    """Two nodes that take one another for the owner: the second takes the call over, as nobody has it."""
    cluster = in_a_call()
    third = node(cluster.world, "three", THREE, cluster.store)
    bye = cluster.asks("BYE", 2)
    via = f"SIP/2.0/UDP 192.0.2.12:5060;branch={MARK}0123456789;rport"
    cluster.carol.send(THREE, bye.with_headers(bye.headers.prepend("Via", via)))
    assert cluster.sent(THREE, ONE) == []
    assert third.last(SessionResumed).session.dialog.call_id == bye.call_id


def test_a_cluster_with_a_wrong_address_of_itself_does_not_loop() -> None:
    world, store = World(), SharedStore()
    two = node(world, "two", TWO, store)
    wrong = CoreAgent(world, "one", ONE, store=store, nodes={"one": "sip:192.0.2.12:5060"})
    carol = ScriptedPeer(world, "carol", CAROL)
    uri = "sip:x@cluster.test;node=one"
    carol.send(ONE, carol.write("BYE", uri, to=f"<{uri}>;tag=guessed"))
    assert carol.response.status == 481
    assert len(world.ladder()) == 4
    assert (two.told, wrong.told) == ([], [])


def test_what_cannot_be_read_and_is_only_given_back_is_no_hindrance() -> None:
    cluster = in_a_call()
    bye = cluster.asks("BYE", 2, headers=[("Max-Forwards", "many")])
    bye = bye.with_headers(bye.headers.append("Via", "what;;is this"))
    cluster.carol.send(TWO, bye)
    assert cluster.carol.response.status == 200
    assert cluster.carol.response.headers.raw("Via") == bye.headers.raw("Via")


def test_a_uri_that_cannot_be_read_gets_what_it_got_before() -> None:
    cluster = in_a_call()
    octets = bytes(cluster.asks("BYE", 2)).replace(b"one@cluster.test;node=one", b"one@cluster test;node=one")
    cluster.carol.send(TWO, octets)
    assert cluster.carol.response.status == 400
    assert cluster.sent(TWO, ONE) == []
    assert cluster.two.faults == []


def test_what_came_in_secret_is_not_sent_on_in_the_clear() -> None:
    cluster = in_a_call()
    core, now = cluster.two.core, cluster.world.now
    flow = Flow("TLS", TWO, CAROL, reliable=True, secure=True, connection=1)
    core.flow_accepted(flow, now)
    core.receive(flow, bytes(cluster.asks("BYE", 2)), now)
    cluster.world.run(0.1)
    assert cluster.sent(TWO, ONE) == []
    assert cluster.taken_over() == ["two"]
    assert cluster.carol.response.status == 200


# --- where peers are known by their addresses ---


@pytest.mark.parametrize("peers", ["route", "flow"])
def test_what_a_node_passes_on_counts_as_from_the_peer(peers: str) -> None:
    cluster = in_a_call(peers=peers)
    cluster.carol.send(TWO, cluster.asks("INVITE", 2, body=AGAIN))
    cluster.one.last(OfferReceived).session.accept_offer(ANSWER, cluster.world.now)
    cluster.carol.send(TWO, cluster.carol.inside(cluster.carol.response, "ACK", 2))
    cluster.carol.send(TWO, cluster.asks("BYE", 3))
    assert cluster.carol.response.status == 200
    assert cluster.one.last(Ended).by == "remote"


@pytest.mark.parametrize("peers", ["route", "flow"])
def test_a_stranger_gains_nothing_by_a_node_that_passes_it_on(peers: str) -> None:
    cluster = in_a_call(peers=peers)
    mallory = ScriptedPeer(cluster.world, "mallory", ("192.0.2.66", 5060))
    bye = cluster.asks("BYE", 2)
    mallory.send(TWO, bye.with_headers(bye.headers.with_("Via", "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK1")))
    assert mallory.response.status == 481
    claims = f"SIP/2.0/UDP 192.0.2.12;branch={MARK}0;rport", "SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK2"
    mallory.send(ONE, bye.with_headers(bye.headers.with_("Via", *claims)))
    assert mallory.response.status == 481
    assert cluster.one.session.is_established


# --- an owner that is not there ---


def test_a_refused_port_is_taken_over_at_once() -> None:
    cluster = in_a_call(icmp=True)
    cluster.one.kill()
    before = cluster.world.now
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert cluster.carol.response.status == 200
    assert cluster.world.now == before
    assert cluster.taken_over() == ["two"]
    cluster.world.settle()
    assert cluster.two.leftovers == []


def test_silence_until_the_next_copy_is_taken_over() -> None:
    cluster = in_a_call()
    cluster.one.kill()
    bye = cluster.asks("BYE", 2)
    cluster.carol.send(TWO, bye)
    cluster.world.run(0.5)
    assert [each.cseq.method for each in cluster.carol.responses if each.cseq.method == "BYE"] == []
    cluster.carol.send(TWO, bye)
    assert (cluster.carol.response.status, cluster.carol.response.cseq.method) == (200, "BYE")
    assert len(cluster.sent(TWO, ONE)) == 1
    cluster.world.settle()
    assert cluster.two.leftovers == []


def test_a_copy_that_the_network_has_made_is_no_sign_of_silence() -> None:
    cluster = in_a_call()
    cluster.world.network.set_link(Link(delay=0.1), source=TWO[0], destination=ONE[0])
    bye = cluster.asks("BYE", 2)
    cluster.carol.send(TWO, bye)
    cluster.carol.send(TWO, bye)
    cluster.world.run(1.0)
    assert cluster.taken_over() == []
    assert cluster.carol.response.status == 200


def test_one_datagram_that_is_lost_ends_nothing_while_the_owner_is_heard() -> None:
    cluster = in_a_call()
    cluster.world.network.set_link(Link(loss=1.0), source=TWO[0], destination=ONE[0])
    lost = cluster.asks("INFO", 2)
    cluster.carol.send(TWO, lost)
    cluster.world.network.set_link(Link(), source=TWO[0], destination=ONE[0])
    cluster.world.run(0.2)
    cluster.carol.send(TWO, cluster.asks("INFO", 3, branch="z9hG4bKother"))  # the owner answers this one
    cluster.world.run(0.3)
    cluster.carol.send(TWO, lost)
    assert cluster.taken_over() == []
    assert len(cluster.sent(TWO, ONE)) == 3


def test_an_owner_that_was_heard_a_moment_before_it_died_is_found_out_by_the_copy_after_the_next() -> None:
    cluster = in_a_call()
    cluster.world.network.set_link(Link(loss=1.0), source=TWO[0], destination=ONE[0])
    bye = cluster.asks("BYE", 3)
    cluster.carol.send(TWO, bye)
    cluster.world.network.set_link(Link(), source=TWO[0], destination=ONE[0])
    cluster.carol.send(TWO, cluster.asks("INFO", 2, branch="z9hG4bKother"))
    cluster.one.kill()
    cluster.world.run(0.5)
    cluster.carol.send(TWO, bye)
    assert cluster.taken_over() == []
    cluster.world.run(1.0)
    cluster.carol.send(TWO, bye)
    assert cluster.taken_over() == ["two"]
    assert cluster.carol.response.status == 200


def test_a_dead_owner_gets_nothing_for_a_while_and_then_one_request() -> None:
    cluster = in_a_call(icmp=True)
    cluster.one.kill()
    for number in range(2, 10):
        cluster.carol.send(TWO, invented(cluster, number))
    assert len(cluster.sent(TWO, ONE)) == 1
    cluster.world.network.set_link(Link(loss=1.0), source=TWO[0], destination=ONE[0])
    cluster.world.run(REST)
    for number in range(10, 20):
        cluster.carol.send(TWO, invented(cluster, number))
    assert len(cluster.sent(TWO, ONE)) == 2
    assert [each.status for each in cluster.carol.responses][-9:] == [481] * 9  # all but the one


def test_an_owner_that_is_back_gets_its_requests_again() -> None:
    cluster = in_a_call(icmp=True)
    cluster.one.kill()
    cluster.carol.send(TWO, invented(cluster, 2))
    one = node(cluster.world, "one", ONE, cluster.store)
    cluster.world.run(REST)
    for number in (3, 4):
        cluster.carol.send(TWO, invented(cluster, number))
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert len(cluster.sent(TWO, ONE)) == 4
    assert "SessionResumed" in one.told
    assert "SessionResumed" not in cluster.two.told
    assert cluster.carol.response.status == 200


def invented(cluster: Cluster, number: int) -> Request:
    """In a dialog that nobody has."""
    return cluster.carol.write(
        "INFO",
        "sip:x@cluster.test;node=one",
        to="<sip:x@cluster.test>;tag=none",
        call_id=f"invented-{number}",
        cseq=number,
    )


def test_a_re_invite_and_its_cancel_are_answered_where_they_were_taken_over() -> None:
    cluster = in_a_call(icmp=True)
    carol, two = cluster.carol, cluster.two
    cluster.one.kill()
    invite = cluster.asks("INVITE", 2, body=AGAIN)
    carol.send(TWO, invite)
    carol.send(TWO, cluster.asks("CANCEL", 2, branch=invite.via.branch or ""))
    assert [(each.status, each.cseq.method) for each in carol.responses][-2:] == [
        (200, "CANCEL"),
        (487, "INVITE"),
    ]
    carol.send(TWO, cluster.asks("ACK", 2, branch=invite.via.branch or ""))
    cluster.world.ladder()
    cluster.world.run(10.0)
    assert cluster.world.ladder() == []
    assert two.last(SessionResumed).session.is_established


def test_the_late_answer_of_an_owner_that_was_only_slow_goes_no_further() -> None:
    cluster = in_a_call()
    cluster.world.network.set_link(Link(delay=0.7), source=TWO[0], destination=ONE[0])
    info = cluster.asks("INFO", 2)
    cluster.carol.send(TWO, info)
    cluster.world.run(0.5)
    cluster.carol.send(TWO, info)
    assert cluster.taken_over() == ["two"]
    cluster.world.run(3.0)
    answers = [each for each in cluster.carol.responses if each.cseq.method == "INFO"]
    assert [each.status for each in answers] == [200]
    assert len(cluster.sent(ONE, TWO)) == 1


def test_its_late_refusal_of_an_invite_is_acknowledged() -> None:
    cluster = in_a_call()
    cluster.world.network.set_link(Link(delay=0.7), source=TWO[0], destination=ONE[0])
    invite = cluster.asks("INVITE", 2, body=AGAIN)
    cluster.carol.send(TWO, invite)
    cluster.world.run(0.5)
    cluster.carol.send(TWO, invite)
    cluster.world.run(0.5)
    cluster.one.last(OfferReceived).session.refuse_offer(488, cluster.world.now)
    cluster.world.run(3.0)
    passed = [each.method for each in cluster.sent(TWO, ONE) if isinstance(each, Request)]
    assert set(passed[1:]) == {"ACK"}  # of each copy of the 488 that it sent meanwhile
    refused = [each for each in cluster.sent(ONE, TWO) if isinstance(each, Response) and each.status == 488]
    assert len(refused) == len(passed) - 1 <= 3
    assert 488 not in [each.status for each in cluster.carol.responses]


def test_a_partition_between_the_nodes_is_taken_over_on_either_side() -> None:
    cluster = in_a_call()
    cluster.world.network.partition({ONE[0]}, {TWO[0]})
    info = cluster.asks("INFO", 2)
    cluster.carol.send(TWO, info)
    cluster.world.run(0.5)
    cluster.carol.send(TWO, info)
    assert cluster.taken_over() == ["two"]
    cluster.carol.send(TWO, cluster.asks("INVITE", 3, body=AGAIN))
    cluster.two.last(OfferReceived).session.accept_offer(ANSWER, cluster.world.now)
    there = cluster.carol.response
    assert "node=two" in str(there.contacts[0].uri)
    cluster.carol.send(TWO, cluster.carol.inside(there, "ACK", 3))
    info = cluster.carol.inside(there, "INFO", 4)
    cluster.carol.send(ONE, info)  # which has it still, until its store tells it
    assert cluster.carol.response.status == 500
    assert cluster.one.last(Ended).by == "elsewhere"
    info = cluster.carol.inside(there, "INFO", 5)
    cluster.carol.send(ONE, info)
    cluster.world.run(0.5)
    cluster.carol.send(ONE, info)
    assert cluster.taken_over() == ["one", "two"]
    assert (cluster.carol.response.status, cluster.carol.response.cseq.number) == (200, 5)


def test_a_node_that_leaves_and_says_503_is_taken_over() -> None:
    """It has handed its calls over: what still comes to it is whoever's else."""
    cluster = in_a_call()
    cluster.one.core.leave()
    cluster.one.core.hand_over(cluster.world.now)
    cluster.carol.send(TWO, cluster.asks("INVITE", 2, body=AGAIN))
    cluster.two.last(OfferReceived).session.accept_offer(ANSWER, cluster.world.now)
    assert cluster.carol.response.status == 200
    assert 503 not in [each.status for each in cluster.carol.responses]
    passed = [each.method for each in cluster.sent(TWO, ONE) if isinstance(each, Request)]
    assert passed == ["INVITE", "ACK"]


# --- without a store ---


def test_without_a_store_requests_are_passed_on_as_well() -> None:
    cluster = in_a_call(kept=False)
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert cluster.carol.response.status == 200
    assert cluster.one.last(Ended).by == "remote"


def test_without_a_store_a_call_of_a_dead_node_is_gone() -> None:
    cluster = in_a_call(kept=False, icmp=True)
    cluster.one.kill()
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert cluster.carol.response.status == 481


def test_without_a_store_a_lost_datagram_ends_no_call() -> None:
    cluster = in_a_call(kept=False)
    cluster.world.network.set_link(Link(loss=1.0), source=TWO[0], destination=ONE[0])
    info = cluster.asks("INFO", 2)
    cluster.carol.send(TWO, info)
    cluster.world.run(0.5)
    cluster.carol.send(TWO, info)
    cluster.world.run(1.0)
    cluster.world.network.set_link(Link(), source=TWO[0], destination=ONE[0])
    cluster.carol.send(TWO, info)
    assert [each.status for each in cluster.carol.responses if each.cseq.method == "INFO"] == [200]


def test_without_a_store_long_silence_is_a_481() -> None:
    cluster = in_a_call(kept=False)
    cluster.one.kill()
    info = cluster.asks("INFO", 2)
    for pause in (0.5, 1.0, 2.0, 4.0):
        cluster.carol.send(TWO, info)
        cluster.world.run(pause)
    assert [each for each in cluster.carol.responses if each.cseq.method == "INFO"] == []
    cluster.carol.send(TWO, info)
    assert cluster.carol.response.status == 481


# --- bounds ---


def test_what_is_remembered_is_bounded() -> None:
    cluster = in_a_call()
    passing = cluster.two.core.passing
    assert passing is not None
    cluster.one.kill()
    flow = Flow("UDP", TWO, CAROL)
    for number in range(MOST + 100):
        cluster.two.core.receive(flow, bytes(invented(cluster, number)), cluster.world.now)
    assert len(passing) == MOST
    cluster.world.run(40.0)
    assert len(passing) == 0
    cluster.world.settle()
    assert cluster.two.leftovers == []


def test_what_is_passed_on_makes_no_transaction() -> None:
    cluster = in_a_call()
    cluster.carol.send(TWO, cluster.asks("INFO", 2))
    assert len(cluster.two.core.transactions) == 0


def test_thousands_of_dead_nodes_are_as_many_as_were_named() -> None:
    world, store = World(icmp=True), SharedStore()
    nodes = {f"n{number}": f"sip:192.0.3.{number % 250}:{5000 + number}" for number in range(2000)}
    agent = CoreAgent(world, "two", TWO, store=store, nodes=nodes)
    carol = ScriptedPeer(world, "carol", CAROL)
    for number in range(2000):
        uri = f"sip:x@cluster.test;node=n{number}"
        carol.send(TWO, carol.write("INFO", uri, to=f"<{uri}>;tag=x", call_id=f"c{number}"))
    assert [each.status for each in carol.responses] == [481] * 2000
    world.settle()
    assert agent.leftovers == []
