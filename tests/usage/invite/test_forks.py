"""One INVITE that reaches several phones (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from sipstack.testing.agent import ANSWER
from sipstack.testing.ladders import ladder
from tests.usage.invite.callers import alice_and_peer, statuses


def test_several_phones_ring_and_one_answers() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180, "phone1")
    bob.answer(invite, 180, "phone2")
    bob.answer(invite, 183, "phone1")
    bob.answer(invite, 200, "phone2", body=ANSWER)
    bob.answer(invite, 180, "phone3")  # late, and of no interest
    assert statuses(alice) == [180, 180, 183]
    assert alice.told == ["Progressed", "Progressed", "Progressed", "Answered"]
    assert alice.session.dialog.remote_tag == "phone2"
    assert bob.request.to.tag == "phone2"
    bob.send(alice.address, bob.back("OPTIONS", 1, "phone1"))
    assert bob.response.status == 481


def test_a_second_phone_that_answers_is_acknowledged_and_told_bye() -> None:
    """§13.2.2.4: the UAC may end surplus dialogs by BYE."""
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 200, "phone1", body=ANSWER)
    bob.answer(invite, 200, "phone2", contact="<sip:phone2@192.0.2.2>", body=ANSWER)
    bye = bob.request
    bob.answer(invite, 200, "phone2", contact="<sip:phone2@192.0.2.2>", body=ANSWER)
    bob.answer(invite, 200, "phone1", body=ANSWER)
    bob.answer(bye, 200, None)
    assert world.ladder() == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:phone2@192.0.2.2 [1]
        alice -> bob    BYE sip:phone2@192.0.2.2 [2]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:phone2@192.0.2.2 [1]
        bob -> alice    200 OK [1 INVITE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
        bob -> alice    200 OK [2 BYE]
    """)
    assert alice.told == ["Answered", "Ended"]  # the end is that of the surplus session
    assert alice.session.is_established


def test_the_peer_may_open_so_many_early_dialogs_and_no_more() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    for number in range(40):
        bob.answer(invite, 180, f"phone{number}")
    assert len(alice.leftovers) == 32 + 1  # and the transaction
    assert statuses(alice) == [180] * 40


def test_as_many_answers_are_acknowledged_and_no_more() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    for number in range(40):
        bob.answer(invite, 200, f"phone{number}", body=ANSWER)
    methods = [line.split()[3] for line in world.ladder(by="alice")]
    assert (methods.count("ACK"), methods.count("BYE")) == (32, 31)


def test_a_provisional_with_a_broken_contact_is_news_without_a_dialog() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180, contact="<sip:a@h>, <sip:b@h>")
    bob.answer(invite, 183, contact="<")
    assert (statuses(alice), len(alice.leftovers)) == ([180, 183], 1)


def test_a_phone_that_says_bye_leaves_the_call_to_the_others() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180, "phone1")
    bob.answer(invite, 180, "phone2")
    bob.send(alice.address, bob.back("BYE", 1, "phone1"))
    bob.send(alice.address, bob.back("BYE", 2, "phone1"))
    bob.answer(invite, 200, "phone2", body=ANSWER)
    assert world.ladder(by="alice") == ladder("""
        alice -> bob    INVITE sip:bob@192.0.2.2:5060 [1]
        alice -> bob    200 OK [1 BYE]
        alice -> bob    481 Call/Transaction Does Not Exist [2 BYE]
        alice -> bob    ACK sip:bob@192.0.2.2:5060 [1]
    """)
    assert alice.told == ["Progressed", "Progressed", "Answered"]
