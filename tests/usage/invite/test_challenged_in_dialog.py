"""A challenge to any request within a dialog is answered there and then (RFC 3261 §22.2, §22.3)."""

from __future__ import annotations

import pytest

from sipstack.core.events import ResponseReceived
from sipstack.message.digest import DigestAccount
from sipstack.message.digest_server import Verdict
from sipstack.testing.agent import ANSWER, CoreAgent
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.usage.standalone import StandaloneRequest
from tests.simulation.challenges import PASSWORD, USERNAME, challenge, server, verdict

METHODS = [
    "INFO",
    "UPDATE",
    "REFER",
    "PRACK",
    "NOTIFY",
    "SUBSCRIBE",
    "MESSAGE",
    "OPTIONS",
    "PUBLISH",
    "X-NEW",
]
FIELDS = ["WWW-Authenticate", "Proxy-Authenticate"]
GIVEN = {"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}


def connected() -> tuple[World, CoreAgent, ScriptedPeer]:
    world = World()
    alice = CoreAgent(world, "alice", ("192.0.2.1", 5060), account=DigestAccount(USERNAME, PASSWORD))
    bob = ScriptedPeer(world, "bob", ("192.0.2.2", 5060))
    alice.call(bob.uri)
    bob.answer(bob.request, 200, body=ANSWER)
    return world, alice, bob


def send(alice: CoreAgent, method: str) -> None:
    usages = alice.session.usages
    draft = usages.draft(method, (("Subject", "1"),), b"body")
    StandaloneRequest(alice.core, draft, usages).start(alice.world.now)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("method", METHODS)
def test_a_request_goes_out_again_with_the_next_cseq_and_credentials(method: str, field: str) -> None:
    world, alice, bob = connected()
    digest = server("SHA-256")
    send(alice, method)
    first = bob.request
    status = 401 if field == "WWW-Authenticate" else 407
    bob.answer(first, status, None, headers=challenge(digest, world.now, field=field))
    second = bob.request
    assert verdict(digest, second, world.now, field=GIVEN[field]) is Verdict.OK
    assert (second.method, second.cseq.number) == (method, first.cseq.number + 1)
    assert (second.body, second.headers.get("Subject"), second.to) == (b"body", "1", first.to)
    bob.answer(second, 200, None)
    assert alice.last(ResponseReceived).response.status == 200
    alice.hang_up()
    bob.answer(bob.request, 200, None)
    world.settle()
    assert alice.leftovers == []


@pytest.mark.parametrize("method", METHODS)
def test_a_refused_password_ends_the_request_and_not_the_call(method: str) -> None:
    world, alice, bob = connected()
    send(alice, method)
    for _ in range(2):
        bob.answer(bob.request, 401, None, headers=challenge(server("SHA-256"), world.now))
    assert bob.methods.count(method) == 2
    assert alice.last(ResponseReceived).response.status == 401
    assert alice.session.is_established


def test_a_bye_that_is_refused_for_good_ends_the_call_all_the_same() -> None:
    world, alice, bob = connected()
    alice.hang_up()
    for _ in range(2):
        bob.answer(bob.request, 401, None, headers=challenge(server("SHA-256"), world.now))
    world.settle()
    assert (alice.told, alice.leftovers) == (["Answered", "Ended"], [])


def test_two_proxies_and_the_callee_may_all_ask_for_one_request() -> None:
    """§22.3: a request carries credentials for every realm on the way at once."""
    world, alice, bob = connected()
    send(alice, "INFO")
    realms = [("one", "Proxy-Authenticate"), ("two", "Proxy-Authenticate"), ("three", "WWW-Authenticate")]
    for realm, field in realms:
        value = f'Digest realm="{realm}", nonce="{realm}", algorithm=SHA-256, qop="auth"'
        bob.answer(bob.request, 401 if field[0] == "W" else 407, None, headers=[(field, value)])
    given = bob.request.headers
    proxies, server_ = given.typed("Proxy-Authorization"), given.typed("Authorization")
    assert [each.realm for each in (*proxies, *server_)] == ["one", "two", "three"]
    assert bob.request.cseq.number == 5
