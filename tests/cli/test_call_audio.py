"""``--audio`` of ``sipstack call`` and ``sipstack answer``: a device, silence or a file."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import wave
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.main import main
from sipstack.cli.status import ExitStatus
from sipstack.media.tones import sine
from tests.cli.running import ANY_PORT, agent, command, echo, write_tune
from tests.cli.streams import environment, text
from tests.media.hearing import loudness, purity
from tests.media.sound_card import Card, Stream, install

TONE = sine(1000.0, 0.02).read()
"""20 whole waves: a frame more or less is heard as nothing else."""


def usage_error(*arguments: str) -> str:
    env = environment()
    assert main(arguments, env) == ExitStatus.USAGE
    return " ".join(text(env.stderr).split())


class Talker:
    """PortAudio's thread, which hears a tone and keeps what is said, 20 ms at a time."""

    def __init__(self, card: Card) -> None:
        self.said = bytearray()
        self._card = card
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Talker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due += 0.02
            if self._card.running and self._card.outputs:
                self.said += self._card.turn(TONE)


async def opened(card: Card, number: int) -> Stream:
    """Wait until the card was opened so often."""
    async with asyncio.timeout(10):
        while True:
            if len(card.outputs) == number:
                return card.outputs[-1]
            await asyncio.sleep(0.01)


# -- what cannot work ----------------------------------------------------------------------------------------


def test_what_is_no_device_and_no_file() -> None:
    assert "neither 'device', 'device:NAME', 'null' nor a file" in usage_error(
        "call", "sip:bob@127.0.0.1", "--audio", "missing.wav"
    )


def test_two_files_at_once(tmp_path: Path) -> None:
    tune = str(write_tune(tmp_path / "tune.wav"))
    assert "--play FILE and --audio FILE exclude each other" in usage_error(
        "call", "sip:bob@127.0.0.1", "--play", tune, "--audio", tune
    )


def test_an_echo_has_no_microphone() -> None:
    assert "--echo and --audio exclude each other" in usage_error("answer", "--echo", "--audio", "device")


async def test_a_missing_device_is_known_before_dialling(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Card(8000, mute=True))
    called = asyncio.Event()

    async def pick_up(invitation: sipstack.Invitation) -> None:
        called.set()

    async with agent() as bob, bob.serving(pick_up):
        async with command("call", bob.contact, *ANY_PORT, "--audio", "device", "--json") as run:
            assert await run.status() == ExitStatus.MEDIA
    assert not called.is_set()
    assert [(event["event"], event["reason"]) for event in run.events] == [
        ("failed", "there is no sound device on this machine; --audio null calls without one")
    ]


async def test_without_the_extra_an_answering_machine_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    async with command("answer", *ANY_PORT, "--audio", "device:usb", "--json") as run:
        assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["failed"]
    assert "pip install 'sipstack[sound]'" in run.events[0]["reason"]


async def test_a_device_that_is_unplugged_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    card = install(monkeypatch, Card(8000))
    async with agent() as bob, bob.serving(echo):
        async with command("call", bob.contact, *ANY_PORT, "--audio", "device", "--json") as run:
            await run.event("answered")
            (await opened(card, 2)).unplug()  # the first was tried before dialling
            assert await run.status() == ExitStatus.MEDIA
    assert run.event_names == ["calling", "answered", "ended", "failed"]
    assert "was it unplugged" in run.events[-1]["reason"]


# -- what works ----------------------------------------------------------------------------------------------


async def test_microphone_and_speaker_are_in_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bob sends back what he hears: what the microphone hears comes out of the speaker."""
    card = install(monkeypatch, Card(8000))
    with Talker(card) as talker:
        async with agent() as bob, bob.serving(echo):
            options = ("--audio", "device:7", "--duration", "1.5", "--json")
            async with command("call", bob.contact, *ANY_PORT, *options) as run:
                assert await run.status() == ExitStatus.DONE
    assert [stream.device for stream in card.outputs] == [7, 7]
    assert not card.running
    assert purity(bytes(talker.said[-12000:-4000]), 1000.0) > 0.7


async def test_a_file_is_played_over_and_over(tmp_path: Path) -> None:
    tune, heard = write_tune(tmp_path / "tune.wav"), tmp_path / "heard.wav"  # 1.8 s

    async def record(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call, call.recording(heard):
            await call.ended()

    async with agent() as bob, bob.serving(record):
        options = ("--audio", str(tune), "--duration", "2.5", "--json")
        async with command("call", bob.contact, *ANY_PORT, *options) as run:
            assert await run.status() == ExitStatus.DONE
    with wave.open(str(heard), "rb") as file:
        pcm = file.readframes(file.getnframes())
    assert loudness(pcm[-8000:-4000]) > 500, "it began again"


async def test_after_the_greeting_the_microphone_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    card = install(monkeypatch, Card(8000))
    tune = write_tune(tmp_path / "tune.wav")
    options = ("--play", str(tune), "--audio", "device", "--calls", "1", "--json")
    with Talker(card):
        async with command("answer", *ANY_PORT, *options) as run, agent("alice") as alice:
            async with alice.call((await run.event("listening"))["local"]) as call:
                heard = bytearray()
                async for frame in call.audio:
                    heard += frame.pcm
                    if len(heard) > 16000 * 3:
                        break
            assert await run.status() == ExitStatus.DONE
    assert run.events[-1]["by"] == "remote"
    assert purity(bytes(heard[-8000:]), 1000.0) > 0.7
