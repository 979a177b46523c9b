"""The README's programs: they run, as they are written."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import random
import re
import subprocess
import sys
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import sipstack
from sipstack import Invitation, UserAgent
from sipstack.agents.wire import AUDIO, CONTROL, framed
from sipstack.identifiers import Identifiers
from sipstack.media.dtmf import Way
from sipstack.media.io import AudioSource
from sipstack.media.session import AudioSession
from sipstack.media.tones import melody, sine
from sipstack.rtp.g711 import decode_ulaw, encode_ulaw
from sipstack.store.memory import MemoryStore
from sipstack.testing.killing import kill
from sipstack.testing.registrar import Challenger, ScriptedRegistrar
from sipstack.testing.world import World
from tests.media.hearing import Ear, everything, purity
from tests.media.wire import Wire
from tests.readme import blocks

HELLO = b"".join(everything(melody()))
AS_HEARD = decode_ulaw(encode_ulaw(HELLO))
"""What G.711 makes of it; a second pass changes nothing more."""
MOMENT = 2 * 8000 // 10
"""Octets of a tenth of a second."""


class Stage:
    """The README's programs on a simulated network, with RTP over a wire in memory.

    They are executed as they are written; only ``sipstack.UserAgent`` is given a host, and example.com an
    address.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.wire = Wire(delay=0.01)
        self.seeds = itertools.count(1)
        self.program: dict[str, Any] = {}
        exec("import asyncio, contextlib, itertools, sipstack", self.program)
        for block in blocks("python"):
            exec(block, self.program)

    def user_agent(self, aor: str, **options: Any) -> UserAgent:
        """What ``sipstack.UserAgent`` gives."""
        name = aor.removeprefix("sip:").partition("@")[0]
        return self.world.user_agent(name, **({"aor": aor, "media": self.media} | options))

    def media(self, host: str, **options: Any) -> AudioSession:
        """What ``sipstack.AudioSession`` gives."""
        numbers = Identifiers(random.Random(next(self.seeds)))
        return AudioSession(host, bind=self.wire.bind, random=numbers, **options)

    def found_as_example_com(self, name: str) -> None:
        """Where ``sip:...@example.com`` leads."""
        self.world.names["example.com"] = self.world.names[f"{name}.test"]

    @contextlib.asynccontextmanager
    async def running(self, name: str) -> AsyncIterator[asyncio.Task[None]]:
        """One of the programs, until it is interrupted."""
        task = asyncio.create_task(self.program[name]())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def record(self, invitation: Invitation) -> None:
        """Answer, and keep what is heard."""
        async with invitation.accept() as call, call.recording(self.folder / "heard.wav"):
            await call.ended()

    def file(self, name: str, source: AudioSource) -> None:
        """One that the programs play."""
        with wave.open(str(self.folder / name), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(b"".join(everything(source)))

    @property
    def heard(self) -> bytes:
        with wave.open(str(self.folder / "heard.wav")) as file:
            assert file.getparams()[:3] == (1, 2, 8000)
            return bytes(file.readframes(file.getnframes()))


@pytest.fixture
def stage(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(world, tmp_path)
    stage.file("hello.wav", melody())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sipstack, "UserAgent", stage.user_agent)
    monkeypatch.setattr(sipstack, "AudioSession", stage.media)
    yield stage
    assert stage.wire.ports == {}


async def test_call_somebody_and_play_a_file(stage: Stage) -> None:
    async with stage.user_agent("sip:bob@example.com") as bob, bob.serving(stage.record):
        stage.found_as_example_com("bob")
        await stage.program["announce"]()
        await asyncio.sleep(1)
    assert (
        AS_HEARD[:-MOMENT] in stage.heard
    )  # BYE is faster than what waits in the other side's playout buffer
    assert stage.world.leftovers == []


async def test_answer_calls_and_send_back_what_is_heard(stage: Stage) -> None:
    async with stage.running("answer"), stage.user_agent("sip:alice@example.com") as alice:
        await asyncio.sleep(0)
        stage.found_as_example_com("echo")
        for _ in range(2):
            async with alice.call("sip:echo@example.com") as call, call.recording("heard.wav"):
                await call.play("hello.wav")
                await asyncio.sleep(1)
            assert AS_HEARD in stage.heard
    assert stage.world.leftovers == []


async def test_take_instant_messages_as_well(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    async with stage.running("answer_texts"), stage.user_agent("sip:alice@example.com") as alice:
        await asyncio.sleep(0)
        stage.found_as_example_com("echo")
        assert (await alice.message("sip:echo@example.com", "Lunch at noon?")).status == 200
        async with alice.call("sip:echo@example.com"):
            pass
    assert capsys.readouterr().out == "sip:alice@example.com 'Lunch at noon?'\n"
    assert stage.world.leftovers == []


async def test_listen_on_several_transports(stage: Stage) -> None:
    listen = ["udp:0.0.0.0:5060", "tcp:0.0.0.0:5060", "tls:0.0.0.0:5061"]
    alice = stage.user_agent("sip:alice@example.com", listen=listen)
    async with stage.running("answer_everywhere"), alice:
        await asyncio.sleep(0)
        stage.found_as_example_com("echo")
        for transport in ("udp", "tcp", "tls"):
            async with alice.call(f"sip:echo@example.com;transport={transport}") as call:
                assert call.response is not None
                assert call.response.via.transport == transport.upper()
                async with call.recording("heard.wav"):
                    await call.play("hello.wav")
                    await asyncio.sleep(1)
            assert AS_HEARD in stage.heard
    assert stage.world.leftovers == []


async def test_stay_registered_through_outages(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    registrar = ScriptedRegistrar(stage.world, Challenger("secret"), address=("10.0.1.1", 5060))
    stage.found_as_example_com("registrar")
    async with registrar, stage.running("stay_registered"):
        await asyncio.sleep(100)
        assert list(registrar.bindings) == ["sip:alice@10.0.0.1:5060"]
        registrar.status = 503
        await asyncio.sleep(600)
        registrar.status = 200
        await asyncio.sleep(60)
    assert registrar.bindings == {}
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "True 600.0 None"
    assert set(printed[1:-1]) == {"False None 503 Service Unavailable"}
    assert re.fullmatch(r"True 1[23]\d\d\.\d+ None", printed[-1])
    assert stage.world.leftovers == []


async def test_be_a_phone_of_a_pbx(stage: Stage) -> None:
    registrar = ScriptedRegistrar(stage.world, Challenger("secret"), address=("10.0.1.1", 5060))
    stage.found_as_example_com("registrar")
    async with registrar, stage.running("be_a_phone"), stage.user_agent("sip:bob@example.com") as bob:
        await asyncio.sleep(1)
        (binding,) = registrar.bindings
        async with bob.call(binding) as call, call.recording("heard.wav"):
            await call.play("hello.wav")
            await asyncio.sleep(1)
        assert AS_HEARD in stage.heard
    assert registrar.bindings == {}
    assert stage.world.leftovers == []


async def test_click_to_dial_joins_two_phones(stage: Stage) -> None:
    async def talk(invitation: Invitation) -> None:
        async with invitation.accept() as call:
            await asyncio.sleep(1)
            await call.play("hello.wav")
            await asyncio.sleep(1)

    async with stage.user_agent("sip:a@a.test") as a, stage.user_agent("sip:b@b.test") as b:
        async with a.serving(talk), b.serving(stage.record):
            await stage.program["click_to_dial"]("sip:a@a.test", "sip:b@b.test")
            await asyncio.sleep(1)
    assert AS_HEARD in stage.heard
    assert stage.world.leftovers == []


async def test_click_to_dial_gives_up_when_the_caller_hangs_up_while_it_rings(stage: Stage) -> None:
    cancelled: list[bool] = []

    async def leave(invitation: Invitation) -> None:
        async with invitation.accept():
            await asyncio.sleep(1)

    async def ring(invitation: Invitation) -> None:
        await invitation.progress(180)
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.append(invitation.cancelled)

    async with stage.user_agent("sip:a@a.test") as a, stage.user_agent("sip:b@b.test") as b:
        async with a.serving(leave), b.serving(ring):
            await stage.program["click_to_dial"]("sip:a@a.test", "sip:b@b.test")
            assert cancelled == [True]
            assert asyncio.get_running_loop().time() < 2
    assert stage.world.leftovers == []


async def test_bridge_a_call_to_somebody_else(stage: Stage) -> None:
    async with (
        stage.user_agent("sip:alice@example.com") as alice,
        stage.user_agent("sip:bob@example.com") as bob,
        stage.user_agent("sip:switch@example.com") as switch,
        bob.serving(stage.record),
        switch.serving(stage.program["forward"]),
    ):
        stage.found_as_example_com("bob")
        stage.program["ua"] = switch
        async with alice.call(switch.contact) as call:
            await call.play("hello.wav")
            await asyncio.sleep(1)
        await asyncio.sleep(1)
    assert AS_HEARD in stage.heard
    assert stage.world.leftovers == []


@pytest.mark.parametrize(("key", "way"), [("1", "rtp"), ("2", "info")])
async def test_a_menu_of_digits(stage: Stage, key: str, way: Way) -> None:
    stage.file("menu.wav", sine(350.0, 2.0))
    async with stage.user_agent("sip:alice@example.com") as alice, stage.user_agent("sip:ivr@i.test") as ivr:
        async with ivr.serving(stage.program["menu"]), alice.call(ivr.contact) as call:
            async with call.recording("heard.wav"):
                await asyncio.sleep(5)
                await call.dtmf.send(key, way=way)
                pressed = [digit async for digit in call.dtmf]
    assert purity(stage.heard[16000:32000], 350.0) > 0.9, "the announcement"
    if key == "1":
        assert "".join(pressed) == "159#"
    else:
        assert AS_HEARD[:-MOMENT] in stage.heard
    assert stage.world.leftovers == []


async def test_a_menu_ends_when_nobody_presses_anything(stage: Stage) -> None:
    stage.file("menu.wav", sine(350.0, 2.0))
    async with stage.user_agent("sip:alice@example.com") as alice, stage.user_agent("sip:ivr@i.test") as ivr:
        async with ivr.serving(stage.program["menu"]), alice.call(ivr.contact) as call:
            assert (await call.ended()).by == "remote"
            assert call.duration == pytest.approx(10.0, abs=0.2)
    assert stage.world.leftovers == []


@pytest.mark.parametrize("patience", [1.0, 4.0], ids=["interrupted", "heard to its end"])
async def test_a_bot_that_lets_itself_be_interrupted(stage: Stage, patience: float) -> None:
    stage.file("question.wav", sine(350.0, 3.0))
    async with stage.user_agent("sip:alice@example.com") as alice, stage.user_agent("sip:bot@b.test") as bot:
        async with bot.serving(stage.program["ask"]), alice.call(bot.contact) as call:
            async with call.recording("heard.wav"):
                await asyncio.sleep(patience)
                await call.play(sine(1000.0, 1.0))
                await call.ended()
    frames = [stage.heard[at : at + 320] for at in range(0, len(stage.heard), 320)]
    asked = sum(purity(frame, 350.0) > 0.9 for frame in frames) / 50
    answered = sum(purity(frame, 1000.0) > 0.9 for frame in frames) / 50
    assert asked == pytest.approx(min(patience, 3.0), abs=0.2)
    assert answered == pytest.approx(1.0, abs=0.2)
    assert stage.world.leftovers == []


async def test_a_conference_whose_parties_hear_one_another_and_are_recorded(stage: Stage) -> None:
    tones = {"a": 400.0, "b": 900.0, "c": 1500.0}
    ears = {name: Ear() for name in tones}

    async def party(name: str) -> None:
        async with stage.user_agent(f"sip:{name}@{name}.test") as ua, ua.call("sip:room@room.test") as call:
            async with (
                call.recording(ears[name]),
                call.playing(sine(tones[name], 1.0, level=-20.0), loop=True),
            ):
                await asyncio.sleep(3)

    async with stage.running("conference"):
        await asyncio.sleep(0)
        await asyncio.gather(*map(party, tones))
    for name, ear in ears.items():
        heard = b"".join(ear.frames[75:100])
        others = [purity(heard, tones[other]) for other in tones if other != name]
        assert others == pytest.approx([0.5, 0.5], abs=0.1), "each other half of it"
        assert purity(heard, tones[name]) < 0.01, "and nothing of itself"
    for number in (1, 2, 3):
        with wave.open(f"party-{number}.wav") as file:
            assert file.getnchannels() == 2
            assert file.getnframes() > 2 * 8000
    assert stage.world.leftovers == []


async def test_a_call_in_secret(
    stage: Stage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tls = functools.partial(stage.user_agent, listen="tls:0.0.0.0:5061")
    monkeypatch.setattr(sipstack, "UserAgent", with_tls)
    bob = with_tls("sip:bob@example.com")
    async with bob, bob.serving(stage.record):
        stage.found_as_example_com("bob")
        await stage.program["call_in_secret"]()
        await asyncio.sleep(1)
    assert capsys.readouterr().out == "SDES-SRTP AES_CM_128_HMAC_SHA1_80 PCMU\n"
    assert AS_HEARD[:-MOMENT] in stage.heard
    assert HELLO[1600:1760] not in b"".join(packet for *_, packet in stage.wire.sent)
    assert stage.world.leftovers == []


async def test_calls_outlive_their_process(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file stands for itself in other tests: here it is memory, which knows virtual time."""
    store, agents = MemoryStore(), list[UserAgent]()
    monkeypatch.setattr(sipstack, "SqliteStore", lambda path: store)

    def user_agent(aor: str, **options: Any) -> UserAgent:
        agents.append(stage.user_agent(aor, **options))
        return agents[-1]

    alice = stage.user_agent("sip:alice@example.com")
    monkeypatch.setattr(sipstack, "UserAgent", user_agent)
    async with alice:
        first = asyncio.create_task(stage.program["outlive"]())
        await asyncio.sleep(0.1)
        stage.found_as_example_com("echo")
        async with alice.call("sip:echo@example.com") as call, call.recording("heard.wav"):
            await asyncio.sleep(1)
            await kill(agents[0])
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            async with stage.running("outlive"):
                assert (await call.ended()).by == "remote"
        assert (
            AS_HEARD[5 * MOMENT : -MOMENT] in stage.heard
        )  # it comes from another source: the buffer begins anew
    assert capsys.readouterr().out == "again here, since noon\n"


@pytest.mark.parametrize("seed", range(3))
async def test_the_test_of_an_application(stage: Stage, seed: int) -> None:
    test = stage.program["test_a_call_survives_a_bad_network"]
    assert [mark.name for mark in test.pytestmark] == ["parametrize", "virtual_time"]
    await test(seed)
    assert asyncio.get_running_loop().time() > 3600


async def test_media_for_browsers() -> None:
    program: dict[str, Any] = {}
    (block,) = [each for each in blocks("python") if "for_browsers" in each]
    exec("import sipstack\n" + block.replace("stun.example.com", "127.0.0.1:9"), program)
    media: AudioSession = program["for_browsers"]("127.0.0.1")
    offer = (await media.offer()).media[0]
    assert offer.protocol == "UDP/TLS/RTP/SAVPF"
    assert [codec.name for codec in offer.codecs][:2] == ["opus", "PCMU"]
    assert offer.attribute("fingerprint")
    assert offer.attribute("ice-ufrag")
    await media.close()


def test_a_bot_in_a_file(tmp_path: Path) -> None:
    (block,) = blocks("py")
    (tmp_path / "bot.py").write_text(block, encoding="utf-8")
    frames = [
        framed(CONTROL, b'{"event": "start", "rate": 16000}'),
        framed(AUDIO, HELLO[:640]),
        framed(CONTROL, b'{"event": "digit", "digit": "1"}'),
        framed(AUDIO, HELLO[640:1280]),
        framed(CONTROL, b'{"event": "digit", "digit": "#"}'),
    ]
    done = subprocess.run(
        [sys.executable, "bot.py"], cwd=tmp_path, input=b"".join(frames), capture_output=True
    )
    assert done.stdout == frames[1] + frames[3] + framed(CONTROL, b'{"command": "hang_up"}')
    assert (done.returncode, done.stderr) == (0, b"")
