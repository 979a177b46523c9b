"""Sentences of RFC 3261 and its kin that cross the layers, in the order of the RFCs."""

from __future__ import annotations

import random
import re

import pytest

from sipstack.core.events import Event, Progressed, Refused, RequestReceived, ResponseReceived
from sipstack.identifiers import MAGIC_COOKIE, Identifiers
from sipstack.message import Response
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.ladders import ladder
from tests.usage.invite.callers import alice_and_peer, bob_and_peer, called_by_peer

# --- §8.1.3.2: "A UAC MUST treat any final response it does not recognize as being equivalent to the x00
# response code of that class", and a provisional one as 183 ---


def test_an_unknown_provisional_response_is_progress() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 199)
    assert alice.last(Progressed).response.status == 199


def test_an_unknown_2xx_is_an_answer() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 299, body=ANSWER)
    assert (alice.told, bob.request.method) == (["Answered"], "ACK")


@pytest.mark.parametrize("status", [399, 499, 599, 699])
def test_an_unknown_refusal_is_a_refusal(status: int) -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, status)
    assert (alice.last(Refused).response.status, bob.request.method) == (status, "ACK")


# --- §8.1.3.4, §21.3: whether to follow a redirection is the application's decision ---


def test_a_redirection_is_a_refusal_that_names_the_contacts() -> None:
    _, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 302, contact="<sip:carol@192.0.2.3>;q=0.7, <sip:dave@192.0.2.4>;q=0.3")
    contacts = alice.last(Refused).response.contacts
    assert [str(contact.uri) for contact in contacts] == ["sip:carol@192.0.2.3", "sip:dave@192.0.2.4"]


# --- §8.2.2.3: "Require and Proxy-Require MUST NOT be used in a SIP CANCEL request, or in an ACK request
# sent for a non-2xx response. These header fields MUST be ignored if they are present in these requests." ---

REQUIRE = [("Require", "foo"), ("Proxy-Require", "bar")]


def test_require_is_ignored_in_cancel_and_in_the_ack_of_a_refusal() -> None:
    world, bob, carol = bob_and_peer()
    invite = carol.write("INVITE", bob.uri, body=OFFER)
    carol.send(bob.address, invite)
    carol.send(bob.address, carol.write("CANCEL", bob.uri, branch=carol.branch, headers=REQUIRE))
    assert [r.status for r in carol.heard if isinstance(r, Response)] == [200, 487]
    refused = carol.response
    ack = carol.write("ACK", bob.uri, branch=invite.via.branch or "", to=refused.headers.get("To") or "")
    carol.send(bob.address, ack.replace(headers=ack.headers.append("Require", "foo")))
    world.ladder()
    world.run(30)
    assert world.ladder() == []  # acknowledged: the 487 is not repeated


# --- §8.2.6.1: "UASs SHOULD NOT issue a provisional response for a non-INVITE request" (RFC 4320 §4.1) ---


@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE", "BYE", "REGISTER", "NEWMETHOD"])
def test_a_request_other_than_invite_gets_one_response_and_that_is_final(method: str) -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write(method, bob.uri))
    world.run(100)
    assert [r.status >= 200 for r in carol.heard if isinstance(r, Response)] == [True]


# --- §8.2.6.2: "the same tag MUST be used for all responses to that request, both final and provisional
# (again excepting the 100)" ---


def test_all_responses_to_an_invite_but_100_have_one_tag() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    world.run(1)
    bob.invitation.progress(180, world.now)
    bob.invitation.progress(183, world.now)
    bob.invitation.refuse(486, world.now)
    world.run()
    tags = [(r.status, r.to.tag) for r in carol.heard if isinstance(r, Response)]
    tag = tags[-1][1]
    assert tag is not None
    assert tags == [(100, None), (180, tag), (183, tag), (486, tag)]


# --- §12.2.2: OPTIONS and MESSAGE inside of a dialog; §8.1.1.4, §8.1.1.7, §19.3: Call-ID, branch and tags ---


def answer_messages(agent: CoreAgent) -> None:
    """Take instant messages from now on."""

    def answer(event: Event) -> None:
        if isinstance(event, RequestReceived):
            event.received.respond(200, agent.world.now)

    agent.core.uas.hand_over("MESSAGE")
    agent.on_event = answer


def test_options_and_messages_are_served_inside_of_a_call() -> None:
    world, bob, carol = called_by_peer()
    answer_messages(bob)
    ok = next(r for r in carol.heard if isinstance(r, Response))
    for number, method in enumerate(["OPTIONS", "MESSAGE"], 2):
        carol.send(bob.address, carol.inside(ok, method, number))
        assert (carol.response.status, carol.response.to.tag) == (200, ok.to.tag)
    bob.hang_up()
    world.run()


def test_tags_branches_and_call_ids_are_long_random_tokens() -> None:
    made = Identifiers(random.Random(1))
    for make, octets in ((made.tag, 8), (made.call_id, 16), (made.cnonce, 12)):
        texts = {make() for _ in range(1000)}
        assert len(texts) == 1000
        assert all(re.fullmatch(f"[0-9a-f]{{{2 * octets}}}", text) for text in texts)
    branches = {made.branch() for _ in range(1000)}
    assert len(branches) == 1000
    assert all(re.fullmatch(MAGIC_COOKIE + "[0-9a-f]{20}", branch) for branch in branches)


# --- §21.6: a refusal of any class is the application's ---


def test_the_response_to_a_standalone_request_is_told_whatever_it_says() -> None:
    _, alice, bob = alice_and_peer()
    alice.core.standalone("OPTIONS", bob.uri).start(0.0)
    bob.answer(bob.request, 606, contact="-")
    assert alice.last(ResponseReceived).response.status == 606


# --- RFC 3428 §4, §7: a MESSAGE opens no dialog: no Contact, and none in its response, which has no body ---


def test_neither_a_message_nor_its_response_has_a_contact() -> None:
    world, alice, bob = alice_and_peer()
    answer_messages(alice)
    text = (("Content-Type", "text/plain"),)
    alice.core.standalone("MESSAGE", bob.uri, text, b"hello").start(0.0)
    assert "Contact" not in bob.request.headers
    bob.send(alice.address, bob.write("MESSAGE", alice.uri, headers=text, body=b"hello"))
    assert (bob.response.status, bob.response.body) == (200, b"")
    assert "Contact" not in bob.response.headers
    assert alice.leftovers != []  # the transactions
    world.settle()
    assert alice.leftovers == []


# --- RFC 3665 §3.7: the callee's address changes in mid-call: re-INVITE with another Contact ---


def test_a_reinvite_from_another_address_moves_the_call_there() -> None:
    world, bob, carol = called_by_peer()
    ok = next(r for r in carol.heard if isinstance(r, Response))
    moved = [("Contact", "<sip:carol@192.0.2.3:6000>")]
    carol.send(bob.address, carol.inside(ok, "INVITE", 2, body=OFFER, headers=moved))
    bob.session.accept_offer(ANSWER, world.now)
    carol.send(bob.address, carol.inside(carol.response, "ACK", 2))
    world.ladder()
    bob.hang_up()
    world.run()
    assert world.ladder() == ladder("bob -> 192.0.2.3:6000 BYE sip:carol@192.0.2.3:6000 [1]")
