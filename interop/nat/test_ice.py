"""Calls by DTLS-SRTP and ICE from home to home: through two NATs, and over a relay alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import attrs
import pytest

from interop.namespace import Unavailable
from interop.nat.coturn import PASSWORD, USER, coturn, program
from interop.nat.elsewhere import Elsewhere, elsewhere, over_there
from interop.nat.phones import CLIENT_TONE, SERVER_TONE, hears
from interop.nat.two_homes import OTHER_SERVER, SERVER, SIP, Home, TwoHomes, two_homes
from sipstack import AudioSession, Call, Ice, IceServer, Invitation, TracedMessage, UserAgent, sdp
from sipstack.media.tones import sine
from sipstack.media.webrtc import ice

ARRIVES = 5.0  # seconds


@attrs.frozen
class World:
    """The networks, an event loop at either home, and coturn's folder."""

    homes: TwoHomes
    alice: Elsewhere
    bob: Elsewhere
    folder: Path


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if not program():
        pytest.skip("there is no coturn (Debian: apt-get install coturn)")
    with ExitStack() as life:
        try:
            homes = life.enter_context(two_homes())
        except Unavailable as reason:
            pytest.skip(str(reason))
        life.enter_context(coturn(homes.world, (SERVER, OTHER_SERVER), tmp_path))
        alice, bob = (life.enter_context(elsewhere(each.phone)) for each in (homes.alice, homes.bob))
        yield World(homes, alice, bob, tmp_path)


class Phone:
    """A phone at home. It answers every call with a tone."""

    def __init__(self, home: Home, *servers: IceServer | str) -> None:
        self.trace: list[TracedMessage] = []
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.uri = f"sip:phone@{home.public}:{SIP};transport=tcp"
        self.agent = UserAgent(
            f"sip:phone@{home.public}",
            listen=f"tcp:{home.address}:{SIP}",
            advertise=home.public,
            media=lambda host: AudioSession(host, security="dtls", ice=Ice(servers=servers)),
            trace=self.trace.append,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Phone]:
        async with self.agent, self.agent.serving(self._answer):
            yield self

    async def _answer(self, invitation: Invitation) -> None:
        async with invitation.accept() as call, call.playing(sine(SERVER_TONE, 1.0), loop=True):
            self.calls.put_nowait(call)
            await call.ended()

    def candidates(self) -> dict[str, str]:
        """The addresses of our last description, by type."""
        bodies = [each.data.partition(b"\r\n\r\n")[2] for each in self.trace if each.sent]
        described = sdp.parse([body for body in bodies if body][-1])
        found = sdp.IceDescription.of(described, described.media[0])
        assert found is not None
        return {each.type: each.address for each in found.candidates}


def turn(server: str, scheme: str = "turn", rest: str = "", password: str = PASSWORD) -> IceServer:
    return IceServer(f"{scheme}:{server}{rest}", USER, password)


@asynccontextmanager
async def connected(world: World, alice: Phone, bob: Phone) -> AsyncIterator[tuple[Call, Call]]:
    """Alice calls, and both hear the other."""
    async with AsyncExitStack() as life:
        await over_there(life, world.alice, alice.open())
        await over_there(life, world.bob, bob.open())
        ours = await over_there(life, world.alice, alice.agent.call(bob.uri))
        await over_there(life, world.alice, ours.playing(sine(CLIENT_TONE, 1.0), loop=True))
        theirs = await world.bob.do(asyncio.wait_for(bob.calls.get(), ARRIVES))
        await asyncio.gather(
            world.alice.do(hears(ours, SERVER_TONE)), world.bob.do(hears(theirs, CLIENT_TONE))
        )
        yield ours, theirs
    assert (await world.bob.do(theirs.ended())).by == "remote"


async def test_through_two_nats_as_a_stun_server_tells_them(world: World) -> None:
    alice = Phone(world.homes.alice, f"stun:{SERVER}")
    bob = Phone(world.homes.bob, f"stun:{OTHER_SERVER}")
    async with connected(world, alice, bob) as calls:
        assert [each.security for each in calls] == ["DTLS-SRTP AEAD_AES_256_GCM"] * 2
    for phone, home in ((alice, world.homes.alice), (bob, world.homes.bob)):
        assert phone.candidates() == {"host": home.address, "srflx": home.public}


@pytest.mark.parametrize(
    ("scheme", "rest", "udp"), [("turn", "", True), ("turn", "?transport=tcp", False), ("turns", "", False)]
)
async def test_over_a_relay_where_nothing_else_gets_through(
    world: World, monkeypatch: pytest.MonkeyPatch, scheme: str, rest: str, udp: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.folder / "authority.crt"))
    world.homes.forbid(udp=udp)
    alice = Phone(world.homes.alice, turn(SERVER, scheme, rest))
    bob = Phone(world.homes.bob, turn(OTHER_SERVER, scheme, rest))
    async with connected(world, alice, bob) as calls:
        assert [each.security for each in calls] == ["DTLS-SRTP AEAD_AES_256_GCM"] * 2
        await asyncio.sleep(1)
        for each in calls:
            assert each.statistics.packets_lost == 0
    assert alice.candidates()["relay"] == bob.candidates()["relay"] == SERVER


async def test_a_wrong_password_is_told_in_plain_words(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ice, "PATIENCE", 3.0)
    world.homes.forbid(udp=True)
    alice = Phone(world.homes.alice, turn(SERVER, password="guessed"))
    bob = Phone(world.homes.bob, turn(SERVER, password="guessed"))
    async with AsyncExitStack() as life:
        await over_there(life, world.alice, alice.open())
        await over_there(life, world.bob, bob.open())
        ours = await over_there(life, world.alice, alice.agent.call(bob.uri))
        theirs = await world.bob.do(asyncio.wait_for(bob.calls.get(), ARRIVES))
        ends = await world.alice.do(ours.ended()), await world.bob.do(theirs.ended())
        refused = f"the TURN server {SERVER}:3478 refuses the password of 'alice'"
        assert any(refused in str(each.reason) for each in ends)  # who gives up first hangs up
        assert caplog.text.count(f"ICE goes on without a relay: {refused}") == 2
        assert "guessed" not in caplog.text
