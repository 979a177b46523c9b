"""``sipstack call`` and ``sipstack answer`` with audio that is protected, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from sipstack.sdp import Direction, SessionDescription
from sipstack.testing.certificates import CertificateAuthority
from tests.cli.running import ANY_PORT, agent, command, echo, write_tune

SDES = "SDES-SRTP AES_CM_128_HMAC_SHA1_80"


@pytest.fixture
def tls(tmp_path: Path) -> sipstack.Tls:
    """Of both sides: they know one authority."""
    issuer = CertificateAuthority()
    certificate, key = issuer.issue("127.0.0.1").write(tmp_path, "server")
    return sipstack.Tls(certificate=certificate, key=key, authority=issuer.write(tmp_path))


async def test_a_call_with_srtp_over_tls(tmp_path: Path, tls: sipstack.Tls) -> None:
    tune, trusting = write_tune(tmp_path / "tune.wav"), ("--tls-ca", str(tls.authority))
    async with sipstack.UserAgent("sip:bob@127.0.0.1", listen="tls:127.0.0.1:0", tls=tls) as bob:
        async with bob.serving(echo):
            arguments = ("call", bob.contact, "--srtp", "--play", str(tune), *ANY_PORT, *trusting)
            async with command(*arguments, "--json", "--trace=full") as run:
                assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"]
    assert run.events[1]["security"] == SDES
    assert run.events[2]["packets_received"] > 10
    assert "RTP/SAVP" in run.stderr
    assert run.stderr.count("inline:") == run.stderr.count("inline:***") == 5


async def test_srtp_over_udp_is_refused_with_what_to_do() -> None:
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, "--srtp", *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["calling", "failed"]
    assert "call over TLS or WSS, or allow insecure keys" in run.events[1]["reason"]


@pytest.mark.parametrize(
    ("option", "told"), [("--srtp", f"{SDES}, its keys sent in the clear"), ("-v", None)]
)
async def test_answering_with_keys_over_udp_where_that_is_allowed(option: str, told: str | None) -> None:
    def srtp(host: str) -> sipstack.AudioSession:
        return sipstack.AudioSession(host, security="sdes" if told else "none", insecure_keys=True)

    async with command("answer", option, "--insecure-keys", *ANY_PORT, "--calls", "1", "--json") as run:
        contact = (await run.event("listening"))["local"]
        async with agent("alice") as alice, alice.call(contact, media=srtp) as call:
            assert call.security == told
        assert await run.status() == ExitStatus.DONE
    answered = next(event for event in run.events if event["event"] == "answered")
    assert answered["security"] == told


async def test_who_answers_with_srtp_alone_refuses_plain_rtp() -> None:
    async with command("answer", "--srtp", *ANY_PORT, "--calls", "1", "--json") as run:
        contact = (await run.event("listening"))["local"]
        async with agent("alice") as alice:
            with pytest.raises(sipstack.CallRejected) as refusal:
                async with alice.call(contact):
                    pass
    assert refusal.value.status == 488


async def test_srtp_that_is_optional_calls_who_has_none() -> None:
    async with agent() as bob, bob.serving(echo):
        arguments = ("--srtp-optional", "--insecure-keys", "--duration", "0.2", *ANY_PORT, "--json")
        async with command("call", bob.contact, *arguments) as run:
            assert await run.status() == ExitStatus.DONE
    assert run.events[1]["security"] is None


async def test_srtp_is_needed_or_optional() -> None:
    async with command("call", "sip:bob@127.0.0.1", "--srtp", "--srtp-optional") as run:
        assert await run.status() == ExitStatus.USAGE
    assert "--srtp, --srtp-optional and --webrtc exclude each other" in run.stderr


async def test_calls_as_browsers_make_them() -> None:
    """By DTLS-SRTP and ICE, over plain UDP signalling: no key stands in the messages."""
    async with command("answer", "--webrtc", *ANY_PORT, "--calls", "1", "--json") as answering:
        contact = (await answering.event("listening"))["local"]
        arguments = ("call", contact, "--webrtc", "--duration", "1", *ANY_PORT, "--json")
        async with command(*arguments) as run:
            assert await run.status() == ExitStatus.DONE
        assert await answering.status() == ExitStatus.DONE
    assert run.events[1]["security"] == "DTLS-SRTP"
    assert run.events[2]["packets_received"] > 10


async def test_optional_srtp_is_tried_again_with_srtp_where_nothing_else_is_taken() -> None:
    class Strict(sipstack.AudioSession):
        """Takes no offer but RTP/SAVP."""

        async def answer(
            self, offer: SessionDescription, direction: Direction = Direction.SENDRECV
        ) -> SessionDescription:
            if offer.media[0].protocol != "RTP/SAVP":
                raise sipstack.NegotiationError("no")
            return await super().answer(offer, direction)

    def strict(host: str) -> sipstack.AudioSession:
        return Strict(host, security="sdes", insecure_keys=True)

    async def take(invitation: sipstack.Invitation) -> None:
        async with invitation.accept(media=strict) as call:
            await call.ended()

    async with agent() as bob, bob.serving(take):
        arguments = ("--srtp-optional", "--insecure-keys", "--duration", "0.1")
        async with command("call", bob.contact, *arguments, *ANY_PORT, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.events[1]["security"] == f"{SDES}, its keys sent in the clear"
