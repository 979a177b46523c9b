"""Calls whose audio is protected by keys in the descriptions: what is told, what is refused."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from sipstack import Call, CallRejected, Invitation, NegotiationError, Tls, TracedMessage, UserAgent
from sipstack.media.session import AudioSession
from sipstack.media.tones import sine
from sipstack.testing.certificates import CertificateAuthority
from sipstack.testing.world import World
from tests.media.hearing import Ear, purity

SDES = "SDES-SRTP AES_CM_128_HMAC_SHA1_80"
IN_THE_CLEAR = f"{SDES}, its keys sent in the clear"


class Phone:
    """A user agent whose media are kept, so that a test can look at them."""

    def __init__(
        self, world: World, name: str, security: str | Sequence[str], *, insecure_keys: bool = False
    ) -> None:
        self.media: list[AudioSession] = []
        self.calls: list[Call] = []
        self.trace: list[TracedMessage] = []

        def make(host: str) -> AudioSession:
            self.media.append(
                AudioSession(
                    host,
                    bind=world._rtp.bind,
                    security=security,
                    insecure_keys=insecure_keys,
                    is_ours=lambda _: True,
                )
            )
            return self.media[-1]

        self.agent = world.user_agent(name, media=make, trace=self.trace.append)

    async def answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as call:
            self.calls.append(call)
            async with call.playing(sine(500.0, 1.0), loop=True):
                await call.ended()


async def hears(call: Call, frequency: float) -> bool:
    ear = Ear()
    async with call.recording(ear):
        await asyncio.sleep(1.0)
    return purity(b"".join(ear.frames[10:]), frequency) > 0.99


@pytest.mark.virtual_time
async def test_a_call_tells_what_protects_it_and_goes_on_with_new_keys() -> None:
    world = World(seed=1)
    alice, bob = (Phone(world, name, "sdes", insecure_keys=True) for name in ("alice", "bob"))
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        async with alice.agent.call(bob.agent.contact) as call:
            assert (call.security, bob.calls[0].security) == (IN_THE_CLEAR, IN_THE_CLEAR)
            async with call.playing(sine(1000.0, 1.0), loop=True):
                assert await hears(call, 500.0)
                assert await hears(bob.calls[0], 1000.0)
                await call.hold()
                await call.resume()
                for media in (alice.media[0], bob.media[0]):
                    media.rekey()
                    await asyncio.sleep(1.0)
                assert await hears(call, 500.0)
                assert await hears(bob.calls[0], 1000.0)
            assert call.statistics.packets_unproved == bob.calls[0].statistics.packets_unproved == 0
        assert call.security is None
    keys = {line for message in alice.trace for line in message.data.splitlines() if b"a=crypto:1 " in line}
    assert len(keys) == 4  # two for each
    assert world.leftovers == []


@pytest.mark.virtual_time
async def test_a_peer_that_has_no_srtp_refuses_the_call() -> None:
    world = World(seed=1)
    alice, bob = Phone(world, "alice", "sdes", insecure_keys=True), Phone(world, "bob", "none")
    async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
        with pytest.raises(CallRejected) as refusal:
            async with alice.agent.call(bob.agent.contact):
                pass
        assert refusal.value.status == 488
    assert world.leftovers == []


@pytest.mark.virtual_time
async def test_srtp_that_is_optional_is_taken_by_who_can_and_by_nobody_over_udp() -> None:
    world = World(seed=1)
    told = []
    for number, insecure in enumerate((True, False)):
        alice = Phone(world, f"alice{number}", "opportunistic", insecure_keys=insecure)
        for name, security in (("plain", "none"), ("able", ("none", "sdes"))):
            bob = Phone(world, f"{name}{number}", security, insecure_keys=insecure)
            async with alice.agent, bob.agent, bob.agent.serving(bob.answer):
                async with alice.agent.call(bob.agent.contact) as call:
                    told.append(call.security)
                    assert await hears(call, 500.0)
    assert told == [None, IN_THE_CLEAR, None, None]
    assert world.leftovers == []


@pytest.mark.virtual_time
async def test_keys_are_not_told_over_udp(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in an offer of ours, which is not made, nor in an answer: the call is refused with 488."""
    world = World(seed=1)
    alice, bob, carol = (
        Phone(world, name, "sdes", insecure_keys=name == "carol") for name in ("alice", "bob", "carol")
    )
    async with alice.agent, bob.agent, carol.agent, bob.agent.serving(bob.answer):
        with pytest.raises(NegotiationError, match="over TLS or WSS"):
            async with alice.agent.call(bob.agent.contact):
                pass
        with caplog.at_level(logging.INFO, "sipstack.call"), pytest.raises(CallRejected) as refusal:
            async with carol.agent.call(bob.agent.contact):
                pass
    assert refusal.value.status == 488
    assert "signalling that nothing protects" in caplog.text
    assert not [message for message in alice.trace + bob.trace if message.sent and b"inline:" in message.data]
    assert world.leftovers == []


async def test_over_tls(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A call over loopback, with one port for RTP and RTCP. No key shows in a log."""
    issuer = CertificateAuthority()
    certificate, key = issuer.issue("127.0.0.1").write(tmp_path, "server")
    tls = Tls(certificate=certificate, key=key, authority=issuer.write(tmp_path))
    told: list[str | None] = []

    async def answer(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            told.append(call.security)
            async with call.playing(sine(500.0, 1.0), loop=True):
                await call.ended()

    def srtp(host: str) -> AudioSession:
        return AudioSession(host, security="sdes", rtcp_mux=True)

    trace: list[TracedMessage] = []
    async with (
        UserAgent("sip:bob@127.0.0.1", listen="tls:127.0.0.1:0", tls=tls, media=srtp) as bob,
        UserAgent("sip:alice@127.0.0.1", listen="udp:127.0.0.1:0", tls=tls, trace=trace.append) as alice,
    ):
        with caplog.at_level(logging.DEBUG, "sipstack"):
            async with bob.serving(answer), alice.call(bob.contact, media=srtp) as call:
                told.append(call.security)
                assert await hears(call, 500.0)
    assert told == [SDES, SDES]
    lines = [line for message in trace for line in message.data.split() if line.startswith(b"inline:")]
    assert len(lines) == 5  # four in the offer, one in the answer
    assert sum(b"\na=rtcp-mux\r" in message.data for message in trace) == 2
    assert not any(line.decode()[7:] in caplog.text + repr(trace) for line in lines)
