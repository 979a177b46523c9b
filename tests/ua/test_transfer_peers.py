"""Transfers with other sides that break off, ask too much, or are asked by an application that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from sipstack import Call, FlowClosed, Referral, RemoteProtocolError, TransactionTimeout, TransferFailed
from sipstack.errors import AuthenticationFailed
from sipstack.message import Request, Response
from sipstack.testing.peer import ScriptedPeer
from sipstack.testing.world import World
from sipstack.ua.referral import MOST
from tests.ua.handlers import Answering

pytestmark = pytest.mark.virtual_time

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.1.5\r\ns=-\r\nc=IN IP4 10.0.1.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
Act = Callable[["Phone", Request], None]


class Phone(ScriptedPeer):
    """Answers calls; ``act`` says what it does once it has got a REFER."""

    def __init__(self, world: World, act: Act, status: int = 202, *fields: tuple[str, str]) -> None:
        super().__init__(world, "phone", ("10.0.1.5", 5060), on_request=self._respond)
        self._act = act
        self._status = status
        self._fields = fields
        self._cseq = 0

    def _respond(self, request: Request) -> Iterator[Response]:
        contact = ("Contact", f"<{self.uri}>")
        if request.method == "INVITE":
            headers = [contact, ("Content-Type", "application/sdp")]
            yield request.response(200, to_tag="peer", headers=headers, body=SDP)
        elif request.method == "REFER":
            yield request.response(self._status, headers=[contact, *self._fields])
            asyncio.get_running_loop().call_later(0.1, self._act, self, request)
        elif request.method != "ACK":
            yield request.response(200)

    def say(self, method: str, *headers: tuple[str, str], body: bytes = b"") -> None:
        """A request in the dialog of the call."""
        self._cseq += 1
        where = self.invite.via
        to = where.host, where.port or 5060
        self.send(to, self.back(method, self._cseq, headers=headers, body=body))

    def notify(self, status_line: str, state: str) -> None:
        self.say(
            "NOTIFY",
            ("Event", "refer"),
            ("Subscription-State", state),
            ("Content-Type", "message/sipfrag"),
            body=f"{status_line}\r\n".encode(),
        )


def nothing(phone: Phone, refer: Request) -> None:
    """It says no more."""


def hangs_up(phone: Phone, refer: Request) -> None:
    phone.say("BYE")


def hangs_up_and_tells(phone: Phone, refer: Request) -> None:
    phone.say("BYE")
    asyncio.get_running_loop().call_later(5, phone.notify, "SIP/2.0 200 OK", "terminated;reason=noresource")


def gives_up(phone: Phone, refer: Request) -> None:
    phone.notify("SIP/2.0 100 Trying", "terminated;reason=giveup")


async def test_a_phone_that_hangs_up_at_once_and_tells_later(world: World) -> None:
    async with world.user_agent("alice") as alice:
        async with Phone(world, hangs_up_and_tells):
            async with alice.call("sip:phone@10.0.1.5") as call:
                assert (await call.transfer("sip:carol@example.com")).status == 200
                assert (await call.ended()).by == "remote"
        await asyncio.sleep(60)
        assert alice._runtime.core.leftovers() == []


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        (nothing, TransactionTimeout, "does not tell"),
        (hangs_up, TransactionTimeout, "does not tell"),
        (gives_up, RemoteProtocolError, "does not tell what became of its call: giveup"),
    ],
)
async def test_a_phone_that_does_not_tell(world: World, act: Act, error: type[Exception], said: str) -> None:
    async with world.user_agent("alice") as alice:
        async with Phone(world, act):
            async with alice.call("sip:phone@10.0.1.5") as call:
                with pytest.raises(error, match=said):
                    await call.transfer("sip:carol@example.com")
        await asyncio.sleep(60)
        assert alice._runtime.core.leftovers() == []


async def test_a_phone_that_asks_for_credentials_which_we_do_not_have(world: World) -> None:
    challenge = ("WWW-Authenticate", 'Digest realm="phones", nonce="n", qop="auth"')
    async with world.user_agent("alice") as alice:
        async with Phone(world, nothing, 401, challenge):
            async with alice.call("sip:phone@10.0.1.5") as call:
                with pytest.raises(AuthenticationFailed, match="phones"):
                    await call.transfer("sip:carol@example.com")


async def test_the_user_agent_is_left_amid_a_transfer(world: World) -> None:
    tasks = []
    async with Phone(world, nothing):
        async with world.user_agent("alice") as alice:
            async with alice.call("sip:phone@10.0.1.5") as call:
                tasks = [asyncio.create_task(call.transfer("sip:carol@example.com")) for _ in range(2)]
                await asyncio.sleep(1)
        for task in tasks:
            with pytest.raises(FlowClosed):
                await task
    assert world.leftovers == []


async def test_two_transfers_at_a_time_are_told_apart(world: World) -> None:
    """By the CSeq of each REFER (RFC 3515 §2.4.6)."""

    async def follow(referral: Referral) -> None:
        if referral.target.startswith("sip:carol"):
            await asyncio.sleep(1)
            await referral.refuse(486)
        else:
            await referral.refuse(404)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        bob.serving_referrals(follow),
        alice.call("sip:bob.test") as call,
    ):
        both = [call.transfer(f"sip:{name}@example.com") for name in ("carol", "dave")]
        results = await asyncio.gather(*both, return_exceptions=True)
        assert [getattr(each, "status", None) for each in results] == [486, 404]
    assert world.leftovers == []


async def test_more_referrals_than_there_may_be(world: World) -> None:
    async def wait(referral: Referral) -> None:
        await asyncio.sleep(60)

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
    ):
        async with bob.serving_referrals(wait), alice.call("sip:bob.test") as call:
            many = [asyncio.create_task(transferred(call)) for _ in range(MOST + 1)]
            await asyncio.sleep(1)
            assert [task.result() for task in many if task.done()] == [503]
            for task in many:
                task.cancel()
            await asyncio.gather(*many, return_exceptions=True)
    assert world.leftovers == []


async def transferred(call: Call) -> int:
    with pytest.raises(TransferFailed) as failed:
        await call.transfer("sip:carol@example.com")
    return failed.value.status


async def test_a_handler_that_raises_refuses_with_500_and_is_reported(world: World) -> None:
    reported: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, told: reported.append(told["exception"]))

    async def fail(referral: Referral) -> None:
        raise ZeroDivisionError

    async with (
        world.user_agent("alice") as alice,
        world.user_agent("bob") as bob,
        bob.serving(Answering()),
        bob.serving_referrals(fail),
        alice.call("sip:bob.test") as call,
    ):
        assert await transferred(call) == 500
    assert [type(error) for error in reported] == [ZeroDivisionError]
    assert world.leftovers == []


@pytest.mark.parametrize("refer_to", ["<sip:carol@h?Replaces=c>", "<sip:carol@h?Replaces=%0D%0AX>"])
async def test_a_refer_with_a_replaces_that_is_none(world: World, refer_to: str) -> None:
    async with world.user_agent("bob") as bob, bob.serving_referrals(fail_if_asked):
        async with ScriptedPeer(world, "carol") as carol:
            headers = [("Refer-To", refer_to)]
            request = carol.write("REFER", "sip:bob.test", headers=headers)
            carol.send((world.names["bob.test"][0], 5060), request)
            await carol.responded(1)
            assert carol.response.status == 400
            await asyncio.sleep(40)
    assert world.leftovers == []


async def fail_if_asked(referral: Referral) -> None:
    pytest.fail("it came to the handler")
