"""Requests whose Request-URI is no seal of ours, or not for this dialog: 481, and nothing else happens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sipstack.core.events import SessionResumed
from sipstack.message.uri import escape_user
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.transaction.flow import Address, Flow
from tests.core.sealing import BOB, KEY, called, contact, inside, killed, node, parties, sealed, user


def heir_of_a_call() -> tuple[World, CoreAgent, ScriptedPeer, str]:
    """Bob has been killed; the heir has heard nothing yet; the seal that carol has."""
    world, bob, carol = called()
    first = next(each for each in carol.responses if each.status == 200)
    return world, killed(world, bob), carol, user(first)


def test_no_character_of_the_seal_can_be_changed_on_the_way() -> None:
    _, heir, carol, seal = heir_of_a_call()
    for place in range(0, len(seal), 3):
        changed = seal[:place] + ("A" if seal[place] != "A" else "B") + seal[place + 1 :]
        inside(carol, "BYE", 2, contact=f"sip:{changed}@192.0.2.2")
        assert carol.response.status == 481
    inside(carol, "BYE", 3, contact=f"sip:{seal.swapcase()}@192.0.2.2")
    assert (carol.response.status, heir.told, heir.faults) == (481, [], [])
    inside(carol, "BYE", 4, contact=f"sip:{seal}@192.0.2.2")
    assert carol.response.status == 200


def test_a_peer_that_escapes_what_needs_none_is_understood() -> None:
    _, heir, carol, seal = heir_of_a_call()
    inside(carol, "BYE", 2, contact=f"sip:%{ord(seal[0]):02x}{seal[1:]}@192.0.2.2:5060;transport=udp")
    assert (carol.response.status, heir.told) == (200, ["SessionResumed", "Ended"])


def test_the_seal_of_one_call_does_not_open_another_of_the_same_peer() -> None:
    world, bob, carol = parties()
    for number in ("1", "2"):
        carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER, call_id=number, tag=f"t{number}"))
        bob.accept()
        carol.send(bob.address, carol.inside(carol.response, "ACK", 1))
    one, two = (each for each in carol.responses if each.status == 200)
    heir = killed(world, bob)
    request = carol.inside(one, "BYE", 2)
    ends = [(name, request.headers.get(name)) for name in ("From", "To", "Call-ID")]
    for target in (contact(two), "sip:bob@192.0.2.2"):
        carol.send(BOB, carol.write("BYE", str(target), cseq=2, headers=ends))
        assert carol.response.status == 481
    assert heir.told == []


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=600))
def test_any_user_part_at_all(text: str) -> None:
    _, heir, carol, _ = heir_of_a_call()
    inside(carol, "BYE", 2, contact=f"sip:{escape_user(text) or 'x'}@192.0.2.2")
    assert (carol.response.status, heir.told, heir.faults) == (481, [], [])


def test_what_is_sealed_but_no_session_is_put_off_like_what_a_later_version_has_sealed() -> None:
    world, bob, carol = called()
    first = next(each for each in carol.responses if each.status == 200)
    key = (first.call_id, first.to.tag or "", first.from_.tag or "")
    heir = killed(world, bob)
    seals = sealed(world, 7, "later", (KEY,))
    for number, values in enumerate(
        (7, [], {"dialog": 1}, {"dialog": {}, "remote": "v=0"}, {"dialog": {"local_cseq": "x"}, "remote": ""})
    ):
        seal = seals.seal(key, values, 60.0, 480)
        inside(carol, "OPTIONS", 2 + number, contact=f"sip:{seal}@192.0.2.2")
        assert carol.response.status == 503
    assert (heir.told, heir.faults) == ([], [])


def test_a_secure_call_is_not_restored_for_who_comes_in_the_clear() -> None:
    world = World()
    heir = node(world, 1)
    values = {
        "dialog": {
            "remote_target": "sips:carol@192.0.2.3",
            "route_set": [],
            "local_cseq": 999,
            "remote_cseq": 1,
            "secure": True,
        },
        "is_caller": False,
        "local": ANSWER.decode(),
        "remote": OFFER.decode(),
        "extensions": {},
        "application": {},
    }
    seal = sealed(world, 0, "bob", (KEY,)).seal(("c", "ours", "theirs"), values, 60.0, 480)
    carol = ScriptedPeer(world, "carol", ("192.0.2.3", 5060))
    ends = [("From", "<sips:c@example.com>;tag=theirs"), ("To", "<sips:b@example.com>;tag=ours")]
    request = carol.write("OPTIONS", f"sips:{seal}@192.0.2.2", cseq=2, call_id="c", headers=ends)
    carol.send(BOB, request)
    assert (carol.response.status, heir.told) == (481, [])
    secure = Flow("TLS", BOB, ("192.0.2.3", 4711), reliable=True, secure=True)
    heir.core.receive(
        secure, bytes(request).replace(b"/UDP", b"/TLS").replace(b"carol1", b"carol2"), world.now
    )
    assert any(isinstance(event, SessionResumed) for event in heir.core.events)


def test_nothing_that_sip_does_not_show_is_in_a_capture() -> None:
    """Neither the application's data nor what only the record has: of it there is nothing but ciphertext."""
    world, bob, carol = parties()
    captured: list[bytes] = []
    send = world.send

    def capture(source: Address, destination: Address, data: bytes) -> None:
        captured.append(data)
        send(source, destination, data)

    world.send = capture  # type: ignore[method-assign]
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.invitation.application = {"data": {"account": "Rumpelstilz", "pin": 4711}}
    bob.accept()
    world.run(0.1)
    assert any(b"Contact: <sip:I" in data for data in captured)
    for secret in (b"Rumpelstilz", b"4711", b"account", b"local_cseq"):
        assert not any(secret in data for data in captured)
