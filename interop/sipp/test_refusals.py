"""302, 486, 401 and 407, in both directions."""

from __future__ import annotations

import hashlib
import re
import time

import pytest

from interop.sipp.process import Launch
from sipstack import CallRejected, Invitation, Request, UserAgent
from sipstack.message.digest_server import DigestServer, Verdict

ELSEWHERE = "sip:elsewhere@192.0.2.1"


async def test_we_redirect(agent: UserAgent, target: str, sipp: Launch) -> None:
    async def redirect(invitation: Invitation) -> None:
        await invitation.redirect(ELSEWHERE)

    async with agent.serving(redirect):
        with sipp("uac_302", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 302 INVITE", "> ACK"]


async def test_we_are_busy(agent: UserAgent, target: str, sipp: Launch) -> None:
    async def refuse(invitation: Invitation) -> None:
        await invitation.reject(486)

    async with agent.serving(refuse):
        with sipp("uac_486", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    assert result.labels == ["> INVITE", "< 486 INVITE", "> ACK"]


async def test_we_ask_sipp_for_credentials(agent: UserAgent, target: str, sipp: Launch) -> None:
    server = DigestServer("sut", b"an unguessable secret", algorithms=("MD5",))
    verdicts: list[Verdict] = []

    async def ask(invitation: Invitation) -> None:
        credentials = invitation.request.headers.typed("Proxy-Authorization")
        if not credentials:
            challenges = server.challenges(time.monotonic())
            fields = tuple(("Proxy-Authenticate", str(one)) for one in challenges)
            await invitation.reject(407, headers=fields)
            return
        verdicts.append(check(server, invitation.request))
        async with invitation.accept() as call:
            await call.ended()

    async with agent.serving(ask):
        with sipp("uac_407", "-au", "alice", "-ap", "secret", target=target) as caller:
            result = await caller.ended()
    assert result.problems == ""
    refused = ["> INVITE", "< 407 INVITE", "> ACK"]
    assert result.labels == [*refused, "> INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"]
    assert verdicts == [Verdict.OK]


def check(server: DigestServer, request: Request) -> Verdict:
    """What the server says of the credentials in the request, when alice's password is "secret"."""
    (credentials,) = request.headers.typed("Proxy-Authorization")
    ha1 = hashlib.md5(b"alice:sut:secret").hexdigest()
    return server.check(credentials, request.method, request.body, lambda *_: ha1, time.monotonic())


async def test_a_redirection_raises_and_shows_where_to(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_302", "-key", "elsewhere", ELSEWHERE) as callee:
        with pytest.raises(CallRejected) as refused:
            async with agent.call(callee.uri):
                pass
        result = await callee.ended()
    assert refused.value.status == 302
    assert [str(contact.uri) for contact in refused.value.response.contacts] == [ELSEWHERE]
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 302 INVITE", "< ACK"]


async def test_they_are_busy(agent: UserAgent, sipp: Launch) -> None:
    with sipp("uas_486") as callee:
        with pytest.raises(CallRejected) as refused:
            async with agent.call(callee.uri):
                pass
        result = await callee.ended()
    assert (refused.value.status, refused.value.reason) == (486, "Busy Here")
    assert result.problems == ""
    assert result.labels == ["< INVITE", "> 180 INVITE", "> 486 INVITE", "< ACK"]


def caller(password: str | None) -> UserAgent:
    """alice."""
    return UserAgent("sip:alice@127.0.0.1", password=password, listen="udp:127.0.0.1:0")


@pytest.mark.parametrize("scenario", ["uas_401", "uas_407"])
async def test_we_answer_a_challenge(scenario: str, sipp: Launch) -> None:
    async with caller("secret") as alice:
        with sipp(scenario) as callee:
            async with alice.call(callee.uri):
                pass
            result = await callee.ended()
    assert result.problems == ""
    status = scenario.removeprefix("uas_")
    challenged = ["< INVITE", f"> {status} INVITE", "< ACK"]
    assert result.labels == [*challenged, "< INVITE", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"]
    credentials = result.messages[3].header("Proxy-Authorization" if status == "407" else "Authorization")
    assert parameter(credentials, "response") == expected(credentials)


def parameter(credentials: str, name: str) -> str:
    """One parameter of the credentials, without its quotes."""
    found = re.search(rf'\b{name}="?([^",]*)', credentials)
    return found[1] if found else ""


def expected(credentials: str) -> str:
    """The response by RFC 2617 §3.2.2.1, for alice and "secret", from the parameters that came."""
    first = _md5("alice:sipp:secret")
    second = _md5("INVITE:" + parameter(credentials, "uri"))
    middle = [parameter(credentials, name) for name in ("nonce", "nc", "cnonce", "qop")]
    return _md5(":".join([first, *middle, second]))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


async def test_a_wrong_password_is_refused(sipp: Launch) -> None:
    async with caller("wrong") as alice:
        with sipp("uas_401") as callee:
            with pytest.raises(CallRejected) as refused:
                async with alice.call(callee.uri):
                    pass
            result = await callee.ended()
    assert refused.value.status == 403
    assert result.problems == ""
