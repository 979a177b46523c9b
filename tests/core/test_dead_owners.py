"""What comes to a node in a call of another one that is dead, slow, cut off or about to leave."""

from __future__ import annotations

import pytest

from sipstack.core.events import Ended, OfferReceived, SessionResumed
from sipstack.core.owner import REST
from sipstack.core.passing import MOST
from sipstack.message import Request, Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.transaction.flow import Flow
from tests.core.nodes import AGAIN, CAROL, ONE, TWO, Cluster, in_a_call, invented, node
from tests.core.sealing import KEY, sealed

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


@pytest.mark.parametrize("method", ["INFO", "BYE"])
def test_the_late_answer_is_the_answer_while_ours_waits_for_the_store(method: str) -> None:
    """It is the store that is slow: the owner has done what was asked, and our 500 or 481 would be wrong."""
    cluster = in_a_call()
    store = cluster.store
    assert store is not None
    delays = iter([0.7, 2.0])
    store.delay = lambda: next(delays, 0.0)
    request = cluster.asks(method, 2)
    cluster.carol.send(TWO, request)
    cluster.world.run(0.5)
    cluster.carol.send(TWO, request)
    cluster.world.run(5.0)
    answers = [each for each in cluster.carol.responses if each.cseq.method == method]
    assert [each.status for each in answers] == [200]
    assert len(cluster.sent(ONE, TWO)) == 1
    cluster.carol.send(TWO, request)
    assert cluster.carol.response.status == 200
    assert cluster.two.faults == []


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


# --- with sealed sessions, which their peers keep ---


def sealed_call(*, icmp: bool = False) -> Cluster:
    world = World(icmp=icmp)
    one, two = (
        node(world, name, at, None, seal=sealed(world, number, name, (KEY,)))
        for number, (name, at) in enumerate((("one", ONE), ("two", TWO)))
    )
    carol = ScriptedPeer(world, "carol", CAROL)
    carol.send(ONE, carol.write("INVITE", one.uri, body=OFFER))
    one.accept()
    answer = carol.response
    carol.send(ONE, carol.inside(answer, "ACK", 1))
    return Cluster(world, None, one, two, carol, answer)


def test_a_sealed_call_is_its_nodes_while_that_is_there() -> None:
    cluster = sealed_call()
    assert str(cluster.answer.contacts[0].uri).endswith("@cluster.test;node=one")
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert cluster.carol.response.status == 200
    assert (cluster.one.last(Ended).by, cluster.taken_over()) == ("remote", [])


def test_of_a_dead_node_it_is_opened_by_the_other() -> None:
    cluster = sealed_call(icmp=True)
    cluster.one.kill()
    cluster.carol.send(TWO, cluster.asks("BYE", 2))
    assert (cluster.carol.response.status, cluster.taken_over()) == (200, ["two"])
