"""What comes to a node in a call of another is passed on, and its answer passed back."""

from __future__ import annotations

import random
import re

import pytest

from sipstack.core.configuration import Configuration
from sipstack.core.core import Core
from sipstack.core.events import Ended, OfferReceived, SessionResumed
from sipstack.core.outputs import Open, Transmit, Transport
from sipstack.core.passing import MARK
from sipstack.identifiers import Identifiers
from sipstack.message import Request, parse
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.ladders import ladder
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.sessions import SharedStore
from sipstack.testing.world import World
from sipstack.transaction.flow import Flow
from tests.core.nodes import AGAIN, CAROL, ONE, THREE, TWO, in_a_call, node

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


def test_over_tls_it_goes_on_over_tls_and_comes_back_over_the_connection() -> None:
    core = Core(Configuration(nodes={"one": "sips:192.0.2.11:5061"}), Identifiers(random.Random(1)))
    core.speak(Transport("TLS", reliable=True, secure=True, default_port=5061))
    peer, owner = (Flow("TLS", TWO, far, reliable=True, secure=True, connection=1) for far in (CAROL, ONE))
    core.flow_accepted(peer, 0.0)
    carol = ScriptedPeer(World(), "carol", CAROL)
    uri = "sips:one@cluster.test;node=one"
    bye = carol.write("BYE", uri, to=f"<{uri}>;tag=one")
    core.receive(peer, bytes(bye), 0.0)
    opened = core.outputs.popleft()
    assert isinstance(opened, Open)
    assert (opened.target.transport, opened.target.domain) == ("TLS", "192.0.2.11")
    core.flow_opened(opened.target, owner, 0.0)
    passed = core.outputs.popleft()
    assert isinstance(passed, Transmit)
    assert passed.flow == owner
    request = parse(passed.data)
    assert isinstance(request, Request)
    core.receive(owner, bytes(request.response(200)), 0.1)
    back = core.outputs.popleft()
    assert isinstance(back, Transmit)
    assert back.flow == peer
    assert parse(back.data).headers.raw("Via") == bye.headers.raw("Via")


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


@pytest.mark.parametrize("peers", ["route", "flow"])
def test_a_call_that_is_loaded_for_what_was_passed_on_is_the_peers_and_not_the_nodes(peers: str) -> None:
    """The owner was started again, and the first that it hears of the call comes from another node."""
    cluster = in_a_call(peers=peers)
    cluster.one.kill()
    one = node(cluster.world, "one", ONE, cluster.store, peers=peers)
    cluster.carol.send(TWO, cluster.asks("INFO", 2))
    assert cluster.carol.response.status == 200
    usages = one.last(SessionResumed).session.usages
    assert (usages.source, usages.flow and usages.flow.remote) == (CAROL[0], CAROL)
    cluster.carol.send(ONE, cluster.asks("INFO", 3))
    assert (cluster.carol.response.status, cluster.carol.response.cseq.number) == (200, 3)
