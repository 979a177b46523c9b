"""What comes in a peer's name from one who has seen nothing but the Call-ID does nothing (RFC 3261 §26.1)."""

from __future__ import annotations

from typing import Any

import pytest

from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Address

BOB, ALICE, EVE = ("192.0.2.2", 5060), ("192.0.2.1", 5060), ("192.0.2.66", 5060)
METHODS = [
    *("BYE", "INVITE", "UPDATE", "INFO", "REFER", "PRACK", "NOTIFY", "SUBSCRIBE"),
    *("MESSAGE", "PUBLISH", "OPTIONS", "X-NEW"),
]


class Victim:
    """Alice has called bob; eve knows their Call-ID, addresses and CSeqs, and not their tags and branches."""

    def __init__(self, **options: Any) -> None:
        self.world = World()
        self.bob = CoreAgent(self.world, "bob", BOB, **options)
        self.alice = ScriptedPeer(self.world, "alice", ALICE)
        self.eve = ScriptedPeer(self.world, "eve", EVE)
        self.invite = self.alice.write(
            "INVITE", self.bob.uri, body=ANSWER, tag="alices", branch="z9hG4bKalices"
        )
        self.alice.send(BOB, self.invite)

    def accept(self) -> None:
        self.bob.accept()
        self.alice.send(BOB, self.alice.inside(self.alice.response, "ACK", 1))
        assert self.bob.told[-1] == "Acknowledged"

    def forge(self, method: str, source: ScriptedPeer | None = None, **parts: Any) -> list[int]:
        """The statuses of what eve sends."""
        eve = source or self.eve
        before = len(eve.responses)
        eve.send(BOB, eve.write(method, self.bob.uri, call_id=self.invite.call_id, **parts))
        return [each.status for each in eve.responses[before:]]

    def is_unharmed(self) -> None:
        """Alice has heard nothing, bob was told nothing, and the call ends as it should."""
        told, heard = self.bob.told.copy(), len(self.alice.heard)
        assert self.bob.session.is_established
        accepted = next(each for each in self.alice.responses if each.status == 200)
        self.alice.send(BOB, self.alice.inside(accepted, "BYE", 9))
        assert [each.status for each in self.alice.responses[heard:]] == [200]
        assert self.bob.told == [*told, "Ended"]
        self.world.settle()
        assert self.bob.leftovers == []


@pytest.fixture
def victim() -> Victim:
    victim = Victim()
    victim.accept()
    return victim


@pytest.mark.parametrize("tag", ["alices", "guess"])
@pytest.mark.parametrize("method", METHODS)
def test_a_request_with_guessed_tags_finds_no_dialog(victim: Victim, method: str, tag: str) -> None:
    told, heard = len(victim.bob.told), len(victim.alice.heard)
    for number in (1, 2, 2**31 - 1):
        to = f"<{victim.bob.uri}>;tag=guess{number}"
        statuses = victim.forge(method, tag=tag, to=to, cseq=number, body=ANSWER)
        assert statuses == [481]
    assert (len(victim.bob.told), len(victim.alice.heard)) == (told, heard)
    victim.is_unharmed()


@pytest.mark.parametrize("method", METHODS)
def test_a_request_without_tags_is_none_of_the_call(victim: Victim, method: str) -> None:
    heard = len(victim.alice.heard)
    victim.forge(method, tag="guess", cseq=2)
    victim.forge(method, tag="alices", cseq=2)
    assert len(victim.alice.heard) == heard
    assert "Ended" not in victim.bob.told
    assert "OfferReceived" not in victim.bob.told
    bob = victim.bob
    for event in bob.events:
        if type(event).__name__ == "InvitationReceived" and not event.invitation.answered:  # type: ignore[union-attr]
            event.invitation.refuse(486, bob.world.now)  # type: ignore[union-attr]
    victim.is_unharmed()


def test_cancel_needs_the_branch() -> None:
    victim = Victim()
    victim.bob.invitation.progress(180, victim.world.now)
    for branch in ("", "z9hG4bK", "z9hG4bKguess", "alices", "z9hG4bKALICES2"):
        for tag in ("alices", "guess"):
            assert victim.forge("CANCEL", branch=branch, tag=tag) == [481]
    assert victim.bob.told == ["InvitationReceived"]
    victim.accept()
    victim.is_unharmed()


def test_cancel_with_the_branch_needs_the_sent_by() -> None:
    """Eve has seen the branch, and cannot write alice's address into a Via of hers and hear the answer."""
    victim = Victim()
    assert victim.forge("CANCEL", branch="z9hG4bKalices", tag="alices") == [481]
    assert victim.bob.told == ["InvitationReceived"]


def test_an_ack_that_nobody_sent_opens_nothing() -> None:
    victim = Victim()
    victim.bob.accept()
    told = victim.bob.told.copy()
    for to in ("", f"<{victim.bob.uri}>;tag=guess"):
        assert victim.forge("ACK", tag="alices", to=to) == []
    assert victim.bob.told == told


@pytest.mark.parametrize("status", [200, 180, 486, 401, 481])
def test_a_response_needs_the_branch(status: int) -> None:
    world = World()
    bob, alice = CoreAgent(world, "bob", BOB), ScriptedPeer(world, "alice", ALICE)
    eve = ScriptedPeer(world, "eve", EVE)
    bob.call(alice.uri)
    invite = alice.request
    told = bob.told.copy()
    fields = [("Via", f"SIP/2.0/UDP {BOB[0]};branch=z9hG4bKguess"), ("Contact", f"<{eve.uri}>")]
    headers = invite.headers.without("Via")
    for name, value in fields:
        headers = headers.with_(name, value)
    eve.send(BOB, invite.replace(headers=headers).response(status, to_tag="eve", body=ANSWER))
    assert (bob.told, len(eve.heard), bob.core.counters.unmatched) == (told, 0, 1)


# --- one who has seen everything ---


def seen_everything(victim: Victim, method: str, source: Address = EVE) -> list[int]:
    """What eve gets who has read all messages of the call, and sends from where she is."""
    accepted = next(each for each in victim.alice.responses if each.status == 200)
    request = victim.alice.inside(accepted, method, 5, branch="z9hG4bKeve")
    via = f"SIP/2.0/UDP {source[0]}:5060;branch=z9hG4bKeve"
    before = len(victim.eve.responses)
    victim.eve.send(BOB, request.replace(headers=request.headers.with_("Via", via)))
    return [each.status for each in victim.eve.responses[before:]]


@pytest.mark.parametrize("peers", ["route", "flow"])
@pytest.mark.parametrize("method", METHODS)
def test_by_choice_not_even_she_can_do_anything_from_elsewhere(method: str, peers: str) -> None:
    victim = Victim(peers=peers)
    victim.accept()
    told, heard = len(victim.bob.told), len(victim.alice.heard)
    assert seen_everything(victim, method) == [481]
    assert (len(victim.bob.told), len(victim.alice.heard)) == (told, heard)
    victim.is_unharmed()


@pytest.mark.parametrize("peers", ["route", "flow"])
def test_nor_acknowledge_nor_cancel(peers: str) -> None:
    victim = Victim(peers=peers)
    victim.bob.invitation.progress(180, victim.world.now)
    stolen = victim.alice.write("CANCEL", victim.bob.uri, tag="alices", branch="z9hG4bKalices")
    victim.eve.send(BOB, stolen)
    victim.bob.accept()
    accepted = victim.alice.response
    victim.eve.send(BOB, victim.alice.inside(accepted, "ACK", 1, branch="z9hG4bKeve"))
    assert victim.bob.told == ["InvitationReceived"]
    victim.alice.send(BOB, victim.alice.inside(accepted, "ACK", 1))
    assert victim.bob.told == ["InvitationReceived", "Acknowledged"]


def test_whoever_is_not_asked_for_that_is_believed() -> None:
    """A peer may move, and then the tags are all that it has to show."""
    victim = Victim()
    victim.accept()
    assert seen_everything(victim, "BYE") == [200]
    assert victim.bob.told[-1] == "Ended"


def ended_from(address: Address, *, names: dict[str, list[str]] | None = None, **options: Any) -> bool:
    """Whether a BYE from ``address`` ends a call that came through a proxy; bob has sent a request in it."""
    fields = options.pop("fields", [])
    world = World()
    world.names.update(names or {})
    bob = CoreAgent(world, "bob", BOB, **options)
    proxy, other = ScriptedPeer(world, "proxy", ALICE), ScriptedPeer(world, "other", address)
    proxy.send(BOB, proxy.write("INVITE", bob.uri, body=ANSWER, headers=fields))
    bob.accept()
    accepted = proxy.response
    proxy.send(BOB, proxy.inside(accepted, "ACK", 1))
    if names:
        bob.session.reoffer(b"v=0", world.now)
        world.run()
    bye = proxy.inside(accepted, "BYE", 2)
    via = f"SIP/2.0/UDP {address[0]}:5060;branch=z9hG4bKbye"
    other.send(BOB, bye.replace(headers=bye.headers.with_("Via", via)))
    return bob.told[-1] == "Ended"


PHONE, SECOND = ("192.0.2.10", 5060), ("192.0.2.11", 5060)


def test_by_route_the_phone_itself_and_the_proxies_between_may_speak() -> None:
    contact = ("Contact", f"<sip:phone@{PHONE[0]}>")
    route = ("Record-Route", f"<sip:{SECOND[0]};lr>")
    assert ended_from(PHONE, peers="route", fields=[contact])
    assert ended_from(SECOND, peers="route", fields=[contact, route])
    assert not ended_from(EVE, peers="route", fields=[contact, route])


def test_by_route_a_name_stands_for_all_its_addresses_that_are_known() -> None:
    fields = [("Record-Route", "<sip:edge.test;lr>")]
    names = {"edge.test": [PHONE[0], SECOND[0]]}
    assert ended_from(SECOND, peers="route", fields=fields, names=names)
    assert not ended_from(EVE, peers="route", fields=fields, names=names)


def test_by_flow_only_the_host_that_the_call_came_from_may() -> None:
    fields = [("Contact", f"<sip:phone@{PHONE[0]}>"), ("Record-Route", f"<sip:{SECOND[0]};lr>")]
    assert [ended_from(each, peers="flow", fields=fields) for each in (PHONE, SECOND)] == [False, False]


def test_in_a_call_of_ours_it_is_where_our_invite_went() -> None:
    for peers in ("route", "flow"):
        world = World()
        bob, alice = CoreAgent(world, "bob", BOB, peers=peers), ScriptedPeer(world, "alice", ALICE)
        bob.call(alice.uri)
        alice.answer(alice.request, 200, body=ANSWER)
        alice.send(BOB, alice.back("BYE", 1))
        assert (alice.response.status, bob.told[-1]) == (200, "Ended")
