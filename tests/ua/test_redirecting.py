"""Redirections that a caller has chosen to follow (RFC 3261 §8.1.3.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest

from sipstack import CallRejected, Invitation, SipError, TransactionTimeout, UserAgent
from sipstack.message import Request, Response
from sipstack.testing.ladders import ladder
from sipstack.testing.link import Link
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.ua.redirecting import Redirections
from tests.ua.handlers import Answering, busy, echo

pytestmark = pytest.mark.virtual_time


def response(*contacts: str, status: int = 302) -> Response:
    headers = [("Contact", contact) for contact in contacts]
    return Request("INVITE", "sip:bob@bob.test", [("CSeq", "1 INVITE")]).response(status, headers=headers)


def all_targets(redirections: Redirections, *contacts: str, then: int = 486) -> list[str]:
    """In the order in which they are tried, when each of them refuses."""
    targets, outcome = [], response(*contacts)
    while (target := redirections.next_after(outcome)) is not None:
        targets.append(target)
        outcome = response(status=then)
    return targets


def moved(*contacts: str, status: int = 302) -> Callable[[Request], Iterable[Response]]:
    def answer(request: Request) -> Iterable[Response]:
        if request.method != "INVITE":
            return []
        headers = [("Contact", contact) for contact in contacts]
        return [request.response(status, to_tag="moved", headers=headers)]

    return answer


def invites(world: World) -> list[str]:
    return [line.split()[4] for line in world.ladder() if line.split()[3] == "INVITE"]


# --- which targets, and in which order ---


@pytest.mark.parametrize("contact", ["", "*", "<mailto:bob@bob.test>", "<http://bob.test>", "<sip:>", "%%%"])
def test_what_cannot_be_called_is_no_target(contact: str) -> None:
    assert all_targets(Redirections("sip:bob@bob.test", 5, through_proxy=True), contact) == []


@pytest.mark.parametrize("status", [305, 380, 399, 400, 486, 500, 603])
def test_what_other_responses_name_is_not_followed(status: int) -> None:
    follows = Redirections("sip:bob@bob.test", 5, through_proxy=False)
    assert follows.next_after(response("<sip:carol@carol.test>", status=status)) is None


def test_the_best_is_tried_first_and_of_equal_ones_the_first() -> None:
    contacts = ("<sip:c@x>;q=0.1", "<sip:a@x>, <sip:b@x>;q=1.0", "<sip:d@x>;q=high", "<sip:e@x>;q=nan")
    tried = all_targets(Redirections("sip:bob@bob.test", 9, through_proxy=False), *contacts)
    assert tried == ["sip:a@x", "sip:b@x", "sip:d@x", "sip:e@x", "sip:c@x"]


def test_none_is_tried_twice_nor_the_one_that_was_called() -> None:
    follows = Redirections("sip:bob@bob.test", 9, through_proxy=False)
    contacts = (
        "<sip:BOB@bob.test>",
        "<sip:bob@BOB.test>",
        "<sip:a@x>",
        "<sip:a@x;transport=tcp>",
        "<sip:a@X>",
    )
    assert all_targets(follows, *contacts) == ["sip:BOB@bob.test", "sip:a@x", "sip:a@x;transport=tcp"]
    assert follows.next_after(response("<sip:a@x>")) is None


def test_the_limit_counts_all_targets_however_deep() -> None:
    follows = Redirections("sip:bob@bob.test", 3, through_proxy=False)
    depth = 0
    while follows.next_after(response(f"<sip:bob@{depth}.test>")) is not None:
        depth += 1
    assert depth == 3


def test_a_thousand_contacts_are_three() -> None:
    follows = Redirections("sip:bob@bob.test", 3, through_proxy=False)
    contacts = [f"<sip:bob@{number}.test>" for number in range(1000)]
    assert all_targets(follows, *contacts) == [f"sip:bob@{number}.test" for number in range(3)]


def test_the_targets_of_a_target_come_before_the_others() -> None:
    follows = Redirections("sip:bob@bob.test", 5, through_proxy=False)
    assert follows.next_after(response("<sip:a@x>", "<sip:b@x>;q=0.5")) == "sip:a@x"
    assert follows.next_after(response("<sip:c@x>;q=0.1")) == "sip:c@x"
    assert follows.next_after(TransactionTimeout("nobody")) == "sip:b@x"


def test_what_is_refused_everywhere_is_tried_nowhere_else() -> None:
    """§21.6."""
    follows = Redirections("sip:bob@bob.test", 5, through_proxy=False)
    assert all_targets(follows, "<sip:a@x>", "<sip:b@x>", then=603) == ["sip:a@x"]


def test_a_secure_call_stays_secure() -> None:
    contacts = ("<sip:a@x>", "<tel:+1234>", "<sips:b@x>")
    assert all_targets(Redirections("sips:bob@bob.test", 5, through_proxy=True), *contacts) == ["sips:b@x"]
    assert all_targets(Redirections("SIPS:bob@bob.test", 5, through_proxy=True), *contacts) == ["sips:b@x"]
    assert "sips:b@x" in all_targets(Redirections("sip:bob@bob.test", 5, through_proxy=False), *contacts)


def test_a_number_is_called_where_a_proxy_knows_the_way() -> None:
    for through_proxy, tried in ((True, ["tel:+1-234"]), (False, [])):
        follows = Redirections("sip:bob@bob.test", 5, through_proxy=through_proxy)
        assert all_targets(follows, "<tel:+1-234>") == tried


def test_who_redirects_does_not_write_our_request() -> None:
    """§19.1.5: such fields may be dangerous."""
    follows = Redirections("sip:bob@bob.test", 5, through_proxy=False)
    contact = "<sip:a@x;method=REGISTER;transport=tcp?Route=%3Csip:evil.test%3E&From=boss>"
    assert all_targets(follows, contact) == ["sip:a@x;transport=tcp"]


# --- calls ---


async def test_without_a_wish_the_redirection_is_told(world: World) -> None:
    async with ScriptedPeer(world, "bob", on_request=moved("<sip:carol@carol.test>")):
        async with world.user_agent("alice") as alice:
            with pytest.raises(CallRejected) as caught:
                async with alice.call("sip:bob@bob.test"):
                    pass
    assert [str(each.uri) for each in caught.value.response.contacts] == ["sip:carol@carol.test"]
    assert invites(world) == ["sip:bob@bob.test"]


async def test_the_call_goes_on_as_the_same_call(world: World) -> None:
    """§8.1.3.4: To, From and Call-ID stay, with the next CSeq."""
    async with (
        ScriptedPeer(world, "bob", on_request=moved("<sip:carol@carol.test>")) as bob,
        world.user_agent("carol") as carol,
        world.user_agent("alice") as alice,
    ):
        arrived: list[Request] = []

        async def take(invitation: Invitation) -> None:
            arrived.append(invitation.request)
            await echo(invitation)

        async with carol.serving(take), alice.call("sip:bob@bob.test", redirects=5) as call:
            assert world.ladder() == ladder("""
                alice -> bob INVITE sip:bob@bob.test [1]
                bob -> alice 302 Moved Temporarily [1 INVITE]
                alice -> bob ACK sip:bob@bob.test [1]
                alice -> carol INVITE sip:carol@carol.test [2]
                carol -> alice 200 OK [2 INVITE]
                alice -> carol ACK sip:carol@10.0.0.2:5060 [2]
            """)
            first, second = bob.invite, arrived[0]
            for name in ("Call-ID", "From", "To"):
                assert first.headers.get(name) == second.headers.get(name)
            assert first.body == second.body != b""
            await call.hold()
            await call.resume()
    assert world.leftovers == []


async def test_targets_that_refuse_or_are_not_there_are_followed_by_the_next(world: World) -> None:
    contacts = [
        "<sip:nobody@nowhere.test>",
        "<sip:silent@silent.test>",
        "<sip:busy@busy.test>",
        "<sip:c@carol.test>",
    ]
    async with (
        ScriptedPeer(world, "bob", on_request=moved(*contacts)),
        ScriptedPeer(world, "silent"),
        world.user_agent("busy") as other,
        other.serving(busy),
        world.user_agent("carol") as carol,
        carol.serving(Answering()),
        world.user_agent("alice") as alice,
    ):
        async with alice.call("sip:bob@bob.test", redirects=5):
            pass
        tried = list(dict.fromkeys(invites(world)))
        assert tried == [
            "sip:bob@bob.test",
            "sip:silent@silent.test",
            "sip:busy@busy.test",
            "sip:c@carol.test",
        ]
    assert world.leftovers == []


async def test_when_all_have_refused_the_last_is_told(world: World) -> None:
    async with (
        ScriptedPeer(world, "bob", on_request=moved("<sip:busy@busy.test>")),
        world.user_agent("busy") as other,
        other.serving(busy),
        world.user_agent("alice") as alice,
    ):
        with pytest.raises(CallRejected) as caught:
            async with alice.call("sip:bob@bob.test", redirects=5):
                pass
        assert caught.value.status == 486
    assert world.leftovers == []


async def test_two_that_send_us_to_each_other_are_left_after_one_round(world: World) -> None:
    async with (
        ScriptedPeer(world, "bob", on_request=moved("<sip:carol@carol.test>")),
        ScriptedPeer(world, "carol", on_request=moved("<sip:bob@bob.test>")),
        world.user_agent("alice") as alice,
    ):
        with pytest.raises(CallRejected, match="302"):
            async with alice.call("sip:bob@bob.test", redirects=50):
                pass
    assert invites(world) == ["sip:bob@bob.test", "sip:carol@carol.test"]
    assert world.leftovers == []


async def test_through_a_proxy_the_way_stays(world: World) -> None:
    def answer(request: Request) -> Iterable[Response]:
        if str(request.uri) == "sip:bob@example.com":
            return moved("<tel:+49301234>")(request)
        return [request.response(486, to_tag="x")] if request.method == "INVITE" else []

    async with (
        ScriptedPeer(world, "proxy", on_request=answer) as proxy,
        world.user_agent("alice", proxy="sip:proxy.test") as alice,
    ):
        with pytest.raises(CallRejected, match="486"):
            async with alice.call("sip:bob@example.com", redirects=1):
                pass
        called = [each for each in proxy.requests if each.method == "INVITE"]
        assert [str(each.uri) for each in called] == ["sip:bob@example.com", "tel:+49301234"]
        assert [each.headers.get("Route") for each in called] == ["<sip:proxy.test;lr>"] * 2


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4])
async def test_given_up_at_any_moment_nothing_is_left(moment: float) -> None:
    world = World(Link(delay=0.1))

    async def give_up(alice: UserAgent) -> None:
        async with asyncio.timeout(moment), alice.call("sip:bob@bob.test", redirects=5):
            await asyncio.sleep(60)

    async with (
        ScriptedPeer(world, "bob", on_request=moved("<sip:carol@carol.test>")),
        world.user_agent("carol") as carol,
        carol.serving(answering := Answering(ring=0.1)),
        world.user_agent("alice") as alice,
    ):
        with pytest.raises((TimeoutError, SipError)):
            await give_up(alice)
        await asyncio.sleep(40)
        assert [by for by, _ in answering.ends] in ([], ["remote"])
    assert world.leftovers == []


async def test_provisional_responses_of_each_target_are_told(world: World) -> None:
    async with (
        ScriptedPeer(world, "bob", on_request=moved("<sip:carol@carol.test>")),
        world.user_agent("carol") as carol,
        carol.serving(Answering(ring=1)),
        world.user_agent("alice") as alice,
    ):
        async with alice.invite("sip:bob@bob.test", redirects=1) as outgoing:
            told = [each.status async for each in outgoing.provisionals()]
            call = await outgoing.answered()
            assert (told, call.response is not None) == ([180], True)
    assert world.leftovers == []
