"""INVITE with Replaces for a call that another process has left in the store (RFC 3891)."""

from __future__ import annotations

import pytest

from sipstack.core.events import InvitationReceived, SessionResumed
from sipstack.core.takeover import MOST_OF_ONE
from sipstack.testing.agent import ANSWER, OFFER
from sipstack.testing.peer import ScriptedPeer
from sipstack.usage.invite.replaces import replaces
from tests.core.test_keeping import in_a_call, killed_and_another


class Scene:
    """Carol called bob, whose process is dead; another has its address. Dave is to take Carol's place."""

    def __init__(self) -> None:
        self.world, self.store, bob, self.carol = in_a_call()
        self.accepted = self.carol.response
        to, from_ = self.accepted.to.tag, self.accepted.from_.tag
        self.reference = f"{self.accepted.call_id};to-tag={to};from-tag={from_}"
        self.heir = killed_and_another(self.world, bob, self.store)
        self.heir.core.registry.add_extension(replaces(self.heir.core))
        self.dave = ScriptedPeer(self.world, "dave", ("192.0.2.4", 5060))

    def invite(self, call_id: str = "") -> None:
        headers = [("Replaces", self.reference), ("Require", "replaces")]
        sent = self.dave.write("INVITE", self.heir.uri, headers=headers, body=OFFER, call_id=call_id)
        self.branch = self.dave.branch
        self.dave.send(self.heir.address, sent)
        self.world.run(0.1)

    def cancel(self) -> None:
        for method in ("CANCEL", "ACK"):
            self.dave.send(self.heir.address, self.dave.write(method, self.heir.uri, branch=self.branch))
            self.world.run(0.1)


def test_it_finds_the_call_and_takes_its_place() -> None:
    scene = Scene()
    scene.invite()
    assert scene.heir.told == ["SessionResumed", "InvitationReceived"]
    old = scene.heir.last(SessionResumed).session
    scene.heir.last(InvitationReceived).invitation.accept(ANSWER, scene.world.now)
    scene.world.run(0.1)
    assert scene.dave.response.status == 200
    assert (scene.carol.request.method, old.is_established) == ("BYE", False)
    scene.carol.answer(scene.carol.request, 200, None)
    assert len(scene.store.sessions) == 1
    assert scene.store.sessions[0].dialog.call_id == "call-of-dave"


def test_what_the_peer_of_the_call_asks_meanwhile_comes_first() -> None:
    """And who only means the call is not taken for its peer: requests of ours do not go to him."""
    scene = Scene()
    scene.store.waits = True
    scene.invite()
    scene.carol.send(scene.heir.address, scene.carol.inside(scene.accepted, "OPTIONS", 2))
    scene.store.answer()
    scene.world.run(0.1)
    assert scene.carol.response.cseq.method == "OPTIONS"
    session = scene.heir.last(SessionResumed).session
    assert session.usages.flow is not None
    assert session.usages.flow.remote == scene.carol.address
    assert scene.heir.told[-1] == "InvitationReceived"


def test_who_only_means_the_call_is_not_its_peer() -> None:
    scene = Scene()
    scene.invite()
    session = scene.heir.last(SessionResumed).session
    assert session.usages.flow is None
    session.hang_up(scene.world.now)
    scene.world.run(0.1)
    assert scene.carol.request.method == "BYE"


def test_while_nobody_knows_it_is_503_and_never_481() -> None:
    scene = Scene()
    scene.store.down = True
    scene.invite()
    response = scene.dave.response
    assert (response.status, response.headers.raw("Retry-After")) == (503, ("10",))
    assert response.to.tag


def test_a_store_that_says_nothing_is_not_waited_for_longer_than_four_seconds() -> None:
    scene = Scene()
    scene.store.waits = True
    scene.invite()
    scene.world.run(3.8)
    assert {response.status for response in scene.dave.responses} <= {100}
    scene.world.run(0.2)
    assert scene.dave.response.status == 503


def test_a_call_that_the_store_does_not_have_gets_481() -> None:
    scene = Scene()
    scene.reference = "nobody;to-tag=1;from-tag=2"
    scene.invite()
    assert scene.dave.response.status == 481
    assert len(scene.store.sessions) == 1


def test_one_that_is_over_gets_481() -> None:
    scene = Scene()
    scene.carol.send(scene.heir.address, scene.carol.inside(scene.accepted, "BYE", 2))
    scene.world.run(0.1)
    scene.invite()
    assert (scene.dave.response.status, scene.store.sessions) == (481, [])


def test_who_gives_up_while_he_waits_hears_487_and_the_call_stays() -> None:
    scene = Scene()
    scene.store.waits = True
    scene.invite()
    scene.cancel()
    statuses = {(response.cseq.method, response.status) for response in scene.dave.responses}
    assert statuses - {("INVITE", 100)} == {("CANCEL", 200), ("INVITE", 487)}
    scene.store.answer()
    scene.world.run(0.1)
    assert "InvitationReceived" not in scene.heir.told
    assert scene.heir.last(SessionResumed).session.is_established


def test_who_gives_up_while_nobody_knows_hears_nothing_more() -> None:
    scene = Scene()
    scene.store.waits = True
    scene.invite()
    scene.cancel()
    heard = len(scene.dave.responses)
    scene.world.run(5)
    assert len(scene.dave.responses) == heard


def test_more_than_a_few_are_put_off() -> None:
    scene = Scene()
    scene.store.waits = True
    for number in range(MOST_OF_ONE + 1):
        scene.invite(f"dave-{number}")
    refused = [response.call_id for response in scene.dave.responses if response.status == 503]
    assert refused == [f"dave-{MOST_OF_ONE}"]


@pytest.mark.parametrize("value", ["nobody", "a b;to-tag=1;from-tag=2"])
def test_what_cannot_be_read_is_refused_without_asking(value: str) -> None:
    scene = Scene()
    scene.reference, scene.store.down = value, True
    scene.invite()
    assert scene.dave.response.status == 400


def test_one_that_is_here_is_found_without_asking() -> None:
    world, store, bob, carol = in_a_call()
    bob.core.registry.add_extension(replaces(bob.core))
    dialog, store.down = bob.session.dialog, True
    dave = ScriptedPeer(world, "dave", ("192.0.2.4", 5060))
    value = f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"
    dave.send(bob.address, dave.write("INVITE", bob.uri, headers=[("Replaces", value)], body=OFFER))
    assert bob.told[-1] == "InvitationReceived"
    assert carol.requests == []
