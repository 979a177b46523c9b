"""Info Packages: INFO in a call that both sides have agreed on (RFC 6086)."""

from __future__ import annotations

import asyncio

import pytest

from sipstack import Call, CallEnded, IncomingInfo, Invitation, LocalProtocolError, RequestFailed
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from tests.ua.handlers import Answering, echo
from tests.ua.test_digits import SDP

pytestmark = pytest.mark.virtual_time


class Notes:
    """Takes INFO, and keeps what it says."""

    def __init__(self, status: int | None = None) -> None:
        self.heard: list[tuple[str, str, object]] = []
        self._status = status

    async def __call__(self, info: IncomingInfo) -> None:
        self.heard.append((info.package, info.text, info.call))
        if self._status is not None:
            await info.respond(self._status)


# --- between two of us ---


async def test_both_sides_send_what_the_other_takes(world: World) -> None:
    ours, theirs = Notes(), Notes()

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            assert call.info_packages == ("weather",)
            await call.info("weather", b"rain", content_type="text/plain")
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        alice.serving(info={"Weather": ours}),
        bob.serving(answer, info={"foo": theirs, "bar": theirs}),
    ):
        async with alice.call("sip:bob@bob.test") as call:
            assert call.info_packages == ("bar", "foo")
            for body in (b"", b"more"):
                content_type = "text/plain" if body else ""
                assert (await call.info("Foo", body, content_type=content_type)).status == 200
            await asyncio.sleep(1)
    assert ours.heard == [("weather", "rain", call)]
    assert [(package, text) for package, text, _ in theirs.heard] == [("foo", ""), ("foo", "more")]
    assert all(isinstance(of, Call) for _, _, of in theirs.heard)
    assert world.leftovers == []


async def test_what_the_other_side_does_not_take_is_not_sent(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo, info={"foo": Notes()}), alice.call("sip:bob@bob.test") as call:
            assert call.info_packages == ("foo",)  # bob's answer says so, even to one who takes none
            with pytest.raises(LocalProtocolError, match="takes no INFO of bar, but of foo"):
                await call.info("bar")
        async with bob.serving(echo), alice.call("sip:bob@bob.test") as call:
            assert call.info_packages == ()
            with pytest.raises(LocalProtocolError, match="takes no INFO of foo, but of none"):
                await call.info("foo")


@pytest.mark.parametrize(
    ("package", "body", "headers", "message"),
    [
        ("two words", b"", {}, "no name of an Info Package"),
        ("foo", b"x", {}, "content_type="),
        ("foo", b"", {"Info-Package": "bar"}, "it is the first argument"),
        ("foo", b"", {"CSeq": "1 INFO"}, "the stack counts it"),
    ],
)
async def test_what_cannot_be_sent(
    world: World, package: str, body: bytes, headers: dict[str, str], message: str
) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo, info={"foo": Notes()}), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(LocalProtocolError, match=message):
                await call.info(package, body, headers=headers)


async def test_a_refusal_by_the_handler_is_raised(world: World) -> None:
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo, info={"foo": Notes(403)}), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(RequestFailed) as caught:
                await call.info("foo")
    assert caught.value.status == 403


async def test_a_handler_that_raises_is_a_500(world: World) -> None:
    reports: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context["exception"]))

    async def fail(info: IncomingInfo) -> None:
        raise RuntimeError("a bug")

    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(echo, info={"foo": fail}), alice.call("sip:bob@bob.test") as call:
            with pytest.raises(RequestFailed) as caught:
                await call.info("foo")
    assert caught.value.status == 500
    assert [str(each) for each in reports] == ["a bug"]


async def test_when_the_call_ends_meanwhile(world: World) -> None:
    async def wait(info: IncomingInfo) -> None:
        await asyncio.sleep(3600)

    callee = Answering()
    async with world.user_agent("alice") as alice, world.user_agent("bob") as bob:
        async with bob.serving(callee, info={"foo": wait}), alice.call("sip:bob@bob.test") as call:
            asyncio.get_running_loop().call_later(1, lambda: asyncio.ensure_future(callee.calls[0].hang_up()))
            with pytest.raises(CallEnded):
                await call.info("foo")
            with pytest.raises(CallEnded):
                await call.info("foo")
    assert world.leftovers == []


async def test_two_handlers_of_one_package(world: World) -> None:
    async with world.user_agent("bob") as bob, bob.serving(info={"foo": Notes()}):
        with pytest.raises(LocalProtocolError, match="a handler already for INFO foo"):
            async with bob.serving(info={"FOO": Notes()}):
                pass
        with pytest.raises(LocalProtocolError, match="'a b' is no name of an Info Package"):
            async with bob.serving(info={"a b": Notes()}):
                pass


# --- what goes over the wire ---


async def test_recv_info_in_an_invite_and_its_answer(world: World) -> None:
    """§5.2: and none where nobody takes part."""
    fields: list[tuple[str, ...]] = []
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "peer") as peer,
    ):
        to = alice.listening[0][1:]
        for serving in (alice.serving(echo), alice.serving(echo, info={"foo": Notes(), "Bar": Notes()})):
            async with serving:
                for headers in ((), (("Recv-Info", ""),), (("Recv-Info", "x, y;p=1"),)):
                    number = len(fields) + 1
                    invite = peer.write(
                        "INVITE", "sip:alice@alice.test", call_id=f"c{number}", headers=headers, body=SDP
                    )
                    seen = len(peer.responses)
                    peer.send(to, invite)
                    await peer.responded(seen + 1)
                    fields.append(peer.response.headers.raw("Recv-Info"))
                    peer.send(to, peer.inside(peer.response, "ACK", 1))
                    peer.send(to, peer.inside(peer.response, "BYE", 2))
                    await peer.responded(seen + 2)
    assert fields == [(), ("",), ("",), ("bar, foo",), ("bar, foo",), ("bar, foo",)]


async def test_an_info_of_a_package_that_nobody_takes_is_469(world: World) -> None:
    """§4.2.2: with Recv-Info, that the peer may know better."""
    notes = Notes()
    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "peer") as peer,
        alice.serving(echo, info={"foo": notes}),
    ):
        to = alice.listening[0][1:]
        peer.send(to, peer.write("INVITE", "sip:alice@alice.test", body=SDP))
        await peer.responded(1)
        answer = peer.response
        peer.send(to, peer.inside(answer, "ACK", 1))
        for number, package in enumerate(("bar", "FOO", "?", ""), 2):
            peer.send(to, peer.inside(answer, "INFO", number, headers=[("Info-Package", package)]))
            await peer.responded(number)
        statuses = [(response.status, response.headers.raw("Recv-Info")) for response in peer.responses[1:]]
        assert statuses == [(469, ("foo",)), (200, ()), (400, ()), (400, ())]
        assert [package for package, _, _ in notes.heard] == ["foo"]
        stray = peer.write("INFO", "sip:alice@alice.test", headers=[("Info-Package", "foo")], call_id="other")
        peer.send(to, stray)
        await peer.responded(6)
        assert peer.response.status == 481
        peer.send(to, peer.inside(answer, "BYE", 9))
        await peer.responded(7)


async def test_a_reinvite_may_change_what_a_peer_takes(world: World) -> None:
    calls: list[Call] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            calls.append(call)
            await call.ended()

    async with (
        world.user_agent("alice") as alice,
        ScriptedPeer(world, "peer") as peer,
        alice.serving(answer),
    ):
        to = alice.listening[0][1:]
        peer.send(to, peer.write("INVITE", "sip:alice@alice.test", body=SDP, headers=[("Recv-Info", "a")]))
        await peer.responded(1)
        first = peer.response
        peer.send(to, peer.inside(first, "ACK", 1))
        seen = [calls[0].info_packages]
        for number, fields in enumerate(((), (("Recv-Info", "B, c"),), (("Recv-Info", ""),)), 2):
            peer.send(to, peer.inside(first, "INVITE", number, body=SDP, headers=fields))
            await peer.responded(number)
            peer.send(to, peer.inside(first, "ACK", number))
            seen.append(calls[0].info_packages)
        assert seen == [("a",), ("a",), ("b", "c"), ()]
        peer.send(to, peer.inside(first, "BYE", 9))
        await peer.responded(5)
