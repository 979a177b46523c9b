"""Who calls: what Asterisk asserts, hides and signs, and what it makes of ours (RFC 3325, 5806, 8224)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from interop.asterisk.agents import AgentFactory
from interop.asterisk.listening import hear_tone
from interop.asterisk.server import Asterisk
from sipstack import CallRejected, Invitation, UserAgent
from sipstack.stir import Signer, Verdict, Verifier

BOB = "13035551212"


class Looking:
    """Keeps the invitations, and refuses each."""

    def __init__(self) -> None:
        self.invitations: list[Invitation] = []

    async def __call__(self, invitation: Invitation) -> None:
        self.invitations.append(invitation)
        await invitation.reject(486)


def phone(asterisk: Asterisk, *trusted: str) -> UserAgent:
    return UserAgent(f"sip:bob@{asterisk.host}", listen=f"udp:{asterisk.host}:0", trusted=trusted)


async def called(
    asterisk: Asterisk, alice: UserAgent, number: str, *trusted: str, **options: str
) -> Invitation:
    """The call that reaches bob when alice calls this number of Asterisk."""
    looking = Looking()
    async with phone(asterisk, *trusted) as bob, bob.serving(looking):
        with pytest.raises(CallRejected):
            async with alice.call(asterisk.uri(f"{number}-{bob.listening[0][2]}"), **options):  # type: ignore[arg-type]
                pytest.fail("bob refuses")
    return looking.invitations[0]


async def test_asterisk_asserts_who_calls(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as alice:
        identity = (await called(asterisk, alice, "asserted", f"{asterisk.host}/32")).identity
    assert [each.uri.user for each in identity.asserted] == ["12155551212"]  # type: ignore[union-attr]
    assert identity.address.display_name == "Alice"
    assert not identity.anonymous


async def test_who_does_not_trust_asterisk_takes_no_notice(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as alice:
        invitation = await called(asterisk, alice, "asserted", "192.0.2.1")
    assert "P-Asserted-Identity" in invitation.request.headers
    assert invitation.identity.asserted == ()


async def test_asterisk_asks_us_to_hide_who_calls(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as alice:
        identity = (await called(asterisk, alice, "secret", asterisk.host)).identity
    assert identity.anonymous
    assert "id" in identity.privacy
    assert [each.uri.user for each in identity.asserted] == ["12155551212"]  # type: ignore[union-attr]


async def test_asterisk_tells_who_passed_the_call_on(asterisk: Asterisk, agent: AgentFactory) -> None:
    async with agent() as alice:
        invitation = await called(asterisk, alice, "diverted")
    [diversion] = invitation.diversion
    assert (diversion.uri.user, diversion.reason) == ("200", "user-busy")  # type: ignore[union-attr]


async def test_our_anonymous_call_stays_anonymous_behind_asterisk(
    asterisk: Asterisk, agent: AgentFactory
) -> None:
    """The identity goes on beside the wish to hide it, to whom Asterisk trusts."""
    name = '"Carol" <sip:carol@example.com>'
    async with UserAgent(
        "sip:carol@example.com", listen=f"udp:{asterisk.host}:0", trusted=[asterisk.host]
    ) as carol:
        looking = Looking()
        async with phone(asterisk, asterisk.host) as bob, bob.serving(looking):
            uri = asterisk.uri(f"passed-{bob.listening[0][2]}")
            with pytest.raises(CallRejected):
                async with carol.call(uri, privacy="id", headers={"P-Asserted-Identity": name}):
                    pytest.fail("bob refuses")
    identity = looking.invitations[0].identity
    assert identity.anonymous
    assert identity.address.display_name == "Carol"
    assert "carol" not in str(identity.from_).lower()


# --- signatures ---


STIR = (22,)
"""The first version whose stir_shaken.conf is written as ours."""


@pytest.fixture
def signing(asterisk: Asterisk) -> Asterisk:
    """The Asterisk that signs and verifies."""
    if asterisk.installation.version < STIR:
        pytest.skip(f"{asterisk.installation} has another STIR/SHAKEN")
    return asterisk


@pytest.fixture
async def certificate_server(signing: Asterisk) -> AsyncIterator[str]:
    """Where Asterisk finds the certificate of our signer."""
    pem = (signing.folder / "provider.crt").read_bytes()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(pem)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + pem)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, signing.host, 0)
    async with server:
        yield f"http://{signing.host}:{server.sockets[0].getsockname()[1]}/provider.crt"


class PlainSigner(Signer):
    """Names a certificate that is to be had without TLS, which Asterisk allows in tests alone."""

    def __init__(self, key: bytes, url: str) -> None:
        super().__init__(key, "https://certificates.provider.test/provider.crt")
        self._certificate_url = url


async def test_a_call_that_asterisk_has_signed_is_verified(signing: Asterisk, agent: AgentFactory) -> None:
    verdicts: list[Verdict] = []
    fetched: list[str] = []

    async def fetch(url: str) -> bytes:
        fetched.append(url)
        return (signing.folder / "provider.crt").read_bytes()

    verifier = Verifier(fetch, (signing.folder / "authority.crt").read_bytes())

    async def screen(invitation: Invitation) -> None:
        verdicts.append(await invitation.verified(verifier))
        await invitation.reject(486)

    async with agent() as alice, phone(signing) as bob, bob.serving(screen):
        with pytest.raises(CallRejected):
            async with alice.call(signing.uri(f"attested-{bob.listening[0][2]}")):
                pytest.fail("bob refuses")
    [verdict] = verdicts
    assert (verdict.status, verdict.explanation) == (200, "signed")
    assert (verdict.caller, verdict.called, verdict.attestation) == ("12155551212", (BOB,), "A")
    assert fetched == ["https://certificates.provider.test/provider.crt"]


async def test_asterisk_verifies_a_call_that_we_have_signed(
    signing: Asterisk, agent: AgentFactory, certificate_server: str
) -> None:
    signer = PlainSigner((signing.folder / "provider.key").read_bytes(), certificate_server)
    async with agent("12155551212") as alice, alice.call(signing.uri(BOB), signer=signer) as call:
        await hear_tone(call.audio, 1004)


async def test_asterisk_refuses_a_call_that_is_not_signed(signing: Asterisk, agent: AgentFactory) -> None:
    async with agent("12155551212") as alice:
        with pytest.raises(CallRejected, match="428"):
            async with alice.call(signing.uri(BOB)):
                pytest.fail("it is not signed")


async def test_asterisk_refuses_a_signature_by_another_key(
    signing: Asterisk, agent: AgentFactory, certificate_server: str
) -> None:
    signer = PlainSigner((signing.folder / "server.key").read_bytes(), certificate_server)
    async with agent("12155551212") as alice:
        with pytest.raises(CallRejected, match="438"):
            async with alice.call(signing.uri(BOB), signer=signer):
                pytest.fail("the signature is not that of the certificate")
