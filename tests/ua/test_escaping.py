"""Every part of a URI that we build is escaped (RFC 3261 §19.1.2), whatever characters it means."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Invitation, LocalProtocolError
from sipstack.message import SipUri
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from sipstack.ua.arguments import from_value, loose_route, sip_uri, target_uri

pytestmark = pytest.mark.virtual_time

# as given, as it goes out
USERS = [
    ("a%40b", "a%40b"),
    ("a%20b", "a%20b"),
    ("a%22b", "a%22b"),
    ("a%23b", "a%23b"),
    ("a%25b", "a%25b"),
    ("a%3Ab", "a%3Ab"),
    ("a%3Cb", "a%3Cb"),
    ("a%5Bb", "a%5Bb"),
    ("a#b", "a%23b"),
    ("a|b", "a%7Cb"),
    ("a\\b", "a%5Cb"),
    ("a[b]", "a%5Bb%5D"),
    ("a^b`{}", "a%5Eb%60%7B%7D"),
    ("a%b", "a%25b"),
    ("50%", "50%25"),
    ("jörg", "j%C3%B6rg"),
    ("j%C3%B6rg", "j%C3%B6rg"),
    ("電話", "%E9%9B%BB%E8%A9%B1"),
    ("+1;x/?&=$,-_.!~*'()", "+1;x/?&=$,-_.!~*'()"),
]


@pytest.mark.parametrize(("given", "written"), USERS)
async def test_our_contact_is_escaped_found_again_and_called(world: World, given: str, written: str) -> None:
    rung: list[str] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            rung.append(invitation.request.uri_text)
            await call.ended()

    challenger = Challenger("secret")
    async with (
        ScriptedRegistrar(world, challenger) as registrar,
        world.user_agent(
            "alice", aor=f"sip:{given}@registrar.test", password="secret", registrar="sip:registrar.test"
        ) as alice,
        world.user_agent("bob") as bob,
        alice.serving(answer),
    ):
        registrar.longest, registrar.bindings["sip:other@192.0.2.7"] = 90, 5.0
        async with alice.register() as registration:
            assert registration.expires_at == pytest.approx(asyncio.get_running_loop().time() + 90, abs=1)
            assert alice.contact == f"sip:{written}@10.0.0.2:5060"
            async with bob.call(alice.contact):
                await asyncio.sleep(1)
    assert rung == [f"sip:{written}@10.0.0.2:5060"]
    assert list(registrar.bindings) == ["sip:other@192.0.2.7"]
    assert world.leftovers == []


@pytest.mark.parametrize(("given", "written"), USERS)
def test_the_user_of_a_target_a_from_and_a_proxy(given: str, written: str) -> None:
    uri = f"sip:{written}@h"
    assert target_uri(f"sip:{given}@h") == uri
    assert from_value(f'"B" <sip:{given}@h>') == f'"B" <{uri}>'
    assert loose_route(f"sip:{given}@h") == f"<{uri};lr>"
    assert sip_uri(f"sip:{given}@h", "").user == SipUri.parse(uri).user


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("sip:b:p#w@h", "sip:b:p%23w@h"),
        ("sip:h;x=ö", "sip:h;x=%C3%B6"),
        ("sip:h;x=a|b;lr", "sip:h;x=a%7Cb;lr"),
        ('sip:h;x="a"', "sip:h;x=%22a%22"),
        ("sip:h;x=50%", "sip:h;x=50%25"),
        ("sip:h;x=a%2Cb", "sip:h;x=a%2Cb"),
        ("sip:h;;lr;", "sip:h;lr"),
        ("sips:bob@[2001:db8::1]:5061;transport=tcp", "sips:bob@[2001:db8::1]:5061;transport=tcp"),
        ("SIP:Bob@Example.COM", "SIP:Bob@Example.COM"),
        ("tel:+1-555;phone-context=x", "tel:+1-555;phone-context=x"),
    ],
)
def test_the_other_parts_of_a_target(given: str, written: str) -> None:
    assert target_uri(given) == written


@pytest.mark.parametrize(
    "target", ["sip:a b@h", 'sip:"a"@h', "sip:<a>@h", "sip:a@b@h", "sip:a@hö", "sip:a@h#1", "sip:a\x00@h"]
)
def test_what_cannot_be_told_apart_is_refused(target: str) -> None:
    with pytest.raises(LocalProtocolError, match="cannot be called: write it like sip:bob@example.com"):
        target_uri(target)


def test_a_surrogate_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(LocalProtocolError, match="cannot be written in UTF-8"):
        target_uri("sip:\ud800@h")


def test_a_from_that_is_passed_on_leaves_its_password_behind() -> None:
    assert from_value("<sip:alice:hunter2@h>") == "<sip:alice@h>"
