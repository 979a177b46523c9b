"""Every BYE and CANCEL of ours says why (RFC 3326)."""

from __future__ import annotations

import pytest

from sipstack.errors import (
    InternalError,
    LocalProtocolError,
    RemoteProtocolError,
    ResolutionError,
    SipError,
    TransactionTimeout,
)
from sipstack.message import Reason, Request
from sipstack.testing.agent import ANSWER, OFFER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.invite.reasons import NO_ANSWER, because, of_end, of_error
from tests.usage.invite.callers import alice_and_peer, bob_and_peer


def said(request: Request) -> str:
    """The method, and its reason in short."""
    (reason,) = request.headers.typed("Reason")
    assert isinstance(reason, Reason)
    return f"{request.method} {reason.protocol} {reason.cause} {reason.text}"


def answered() -> tuple[World, CoreAgent, ScriptedPeer]:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=ANSWER)
    return world, alice, bob


def test_who_hangs_up_says_so() -> None:
    world, alice, bob = answered()
    alice.session.hang_up(world.now)
    assert said(bob.request) == "BYE Q.850 16 Normal call clearing"


def test_who_gives_up_says_so() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    bob.answer(bob.request, 180)
    outgoing.cancel(world.now)
    assert said(bob.request) == "CANCEL Q.850 16 Normal call clearing"


def test_a_cancel_that_waits_keeps_its_reason() -> None:
    """§9.1 of RFC 3261: not before a provisional response."""
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    assert bob.methods == ["INVITE"]
    outgoing.cancel(world.now, NO_ANSWER)
    assert bob.methods == ["INVITE"]
    bob.answer(bob.request, 180)
    assert said(bob.request) == "CANCEL Q.850 19 No answer from user"


def test_the_slower_fork_hears_that_the_call_is_answered_elsewhere() -> None:
    world, alice, bob = alice_and_peer()
    alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 200, to_tag="fast", body=ANSWER)
    bob.answer(invite, 200, to_tag="slow", body=ANSWER)
    assert said(bob.request) == "BYE SIP 200 Call completed elsewhere"


def test_an_answer_that_crosses_our_cancel_does_not() -> None:
    world, alice, bob = alice_and_peer()
    outgoing = alice.call(bob.uri)
    invite = bob.request
    bob.answer(invite, 180)
    outgoing.cancel(world.now)
    bob.answer(invite, 200, body=ANSWER)
    assert said(bob.request) == "BYE Q.850 16 Normal call clearing"


def test_without_an_ack() -> None:
    world, bob, carol = bob_and_peer()
    carol.send(bob.address, carol.write("INVITE", bob.uri, body=OFFER))
    bob.accept()
    world.run(33.0)
    assert said(carol.requests[0]) == "BYE SIP 408 no ACK"


def test_a_call_that_an_extension_ends() -> None:
    world, alice, bob = answered()
    alice.session.close("timeout", "session timer", world.now)
    assert said(bob.request) == "BYE SIP 408 session timer"


def test_a_dialog_that_is_lost() -> None:
    world, alice, bob = answered()
    alice.session.lost(TransactionTimeout("no answer of 10.1.2.3"), world.now)
    assert said(bob.request) == "BYE SIP 408 Request Timeout"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TransactionTimeout("secret"), 408),
        (RemoteProtocolError("secret", 481), 481),
        (ResolutionError("secret"), 503),
        (InternalError("secret"), 500),
        (LocalProtocolError("secret"), 500),
    ],
)
def test_the_words_of_an_error_are_for_us(error: SipError, status: int) -> None:
    ((name, value),) = of_error(error).items()
    reason = Reason.parse(str(value))
    assert (name, reason.cause, "secret" in str(value)) == ("Reason", status, False)


@pytest.mark.parametrize(("by", "status"), [("transport", 503), ("local", 500), ("remote", 400), ("x", 500)])
def test_so_are_those_of_most_ends(by: str, status: int) -> None:
    assert of_end(by, "secret") == because(status)
    assert "secret" not in str(of_end(by, "secret"))


def test_words_are_quoted() -> None:
    ((_, value),) = because(408, 'a "quoted" \\ word').items()
    assert Reason.parse(str(value)).text == 'a "quoted" \\ word'
