"""Digest authentication both ways: Asterisk asks us, and we ask Asterisk (RFC 3261 §22, RFC 8760)."""

from __future__ import annotations

import asyncio

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import TIMEOUT, hear_tone
from interop.asterisk.server import Asterisk
from sipstack import Authentication, Ha1, Invitation, TracedMessage, UserAgent
from sipstack.message import Request, Response, parse
from sipstack.message.digest import ha1

USERS = {"asked": "secret"}
REALM = "interop.test"
OFFERS = {
    "MD5": ["MD5"],
    "SHA-256": ["SHA-256"],
    "SHA-512-256": ["SHA-512-256"],
    "three": ["SHA-512-256", "SHA-256", "MD5"],
    "three, weakest first": ["MD5", "SHA-256", "SHA-512-256"],
}


@pytest.fixture(autouse=True)
def _needs_rfc_8760(asterisk: Asterisk) -> None:
    if not asterisk.installation.knows_sha256:
        pytest.skip(f"{asterisk.installation} knows MD5 only")


async def test_asterisk_with_a_wrong_password_does_not_reach_the_handler(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    called: list[Invitation] = []
    trace: list[TracedMessage] = []

    async def answer(invitation: Invitation) -> None:
        called.append(invitation)

    async with agent(trace=trace.append) as ua:
        async with ua.serving(answer, authenticate=Authentication(REALM, USERS)):
            await asterisk.originate("mistaken", "echo", ua.contact)
            await asyncio.sleep(1)
    refusals = [each for each in messages(trace) if isinstance(each, Response) and each.status == 401]
    assert len(refusals) >= 2
    assert called == []


@pytest.mark.parametrize("algorithms", OFFERS.values(), ids=OFFERS)
async def test_asterisk_answers_our_challenges(
    asterisk: Asterisk, agent: AgentFactory, algorithms: list[str]
) -> None:
    users: asyncio.Queue[str | None] = asyncio.Queue()
    trace: list[TracedMessage] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await hear_tone(call.audio, 1004)
            users.put_nowait(invitation.user)
            await call.hang_up()

    async with agent(trace=trace.append) as ua:
        async with ua.serving(answer, authenticate=Authentication(REALM, USERS, algorithms)):
            await asterisk.originate("asked", "milliwatt", ua.contact)
            assert await asyncio.wait_for(users.get(), TIMEOUT) == "asked"
            await asterisk.idle()
    given = [each for each in messages(trace) if "Authorization" in each.headers]
    assert given[0].headers.typed("Authorization")[0].algorithm in algorithms


async def test_an_ha1_serves_in_place_of_the_password_both_ways(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    users: asyncio.Queue[str | None] = asyncio.Queue()

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            users.put_nowait(invitation.user)
            await call.hang_up()

    stored = {"asked": Ha1(ha1("asked", REALM, "secret", "SHA-256"), "SHA-256")}
    async with agent() as ua, ua.serving(answer, authenticate=Authentication(REALM, stored)):
        await asterisk.originate("asked", "echo", ua.contact)
        assert await asyncio.wait_for(users.get(), TIMEOUT) == "asked"
        await asterisk.idle()
    realm = await realm_of(asterisk)
    ours = {realm: ("every", Ha1(ha1("every", realm, "secret", "SHA-512-256"), "SHA-512-256"))}
    here = f"sip:every@{asterisk.host}:{asterisk.port}"
    async with UserAgent(here, credentials=ours, listen=f"udp:{asterisk.host}:0") as caller:
        async with caller.call(asterisk.uri("milliwatt")) as call:
            await hear_tone(call.audio, 1004)


async def realm_of(asterisk: Asterisk) -> str:
    """The realm that it asks in, in its own words."""
    here = f"sip:every@{asterisk.host}:{asterisk.port}"
    async with UserAgent(here, listen=f"udp:{asterisk.host}:0") as stranger:
        asked = await stranger.message(asterisk.uri("echo"), "hello")
    (first, *_) = asked.headers.typed("WWW-Authenticate")
    assert isinstance(first.realm, str)
    return first.realm


async def test_within_a_call_nobody_is_asked_again(
    asterisk: Asterisk, agent: AgentFactory, sealed: bool
) -> None:
    """Asterisk asks for the INVITE and for nothing inside of its dialog; it is Kamailio that does."""
    trace: list[TracedMessage] = []
    async with agent("every", trace=trace.append) as ua:
        async with ua.call(asterisk.uri("milliwatt")) as call:
            await hear_tone(call.audio, 1004)
            await call.hold()
            await call.resume()
    sent = [each for each in messages(trace) if isinstance(each, Request) and each.method != "ACK"]
    asked = [each.status for each in messages(trace) if isinstance(each, Response) and each.status == 401]
    methods = [each.method for each in sent if not (sealed and each.method == "UPDATE")]
    assert methods == ["INVITE"] * 4 + ["BYE"]
    assert asked == [401]


def messages(trace: list[TracedMessage]) -> list[Request | Response]:
    return [parse(each.data) for each in trace if each.data.strip()]
