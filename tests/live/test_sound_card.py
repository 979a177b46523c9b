"""A whole call with the sound devices of PulseAudio: what its null sink plays, its monitor hears."""

from __future__ import annotations

import asyncio
import ctypes.util
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from sipstack.media.tones import sine
from tests.cli.running import ANY_PORT, agent, outcome, process
from tests.media.hearing import purity

ALSA = Path("/usr/share/alsa/alsa.conf")
PLUGIN = "alsa-lib/libasound_module_pcm_pulse.so"
MISSING = [
    package
    for package, there in (
        ("sounddevice", find_spec("sounddevice") is not None),
        ("libportaudio2", ctypes.util.find_library("portaudio") is not None),
        ("libasound2-plugins", any(Path("/usr/lib").glob(f"*/{PLUGIN}"))),
        ("pulseaudio", shutil.which("pulseaudio") is not None),
    )
    if not there
]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture
async def sound_server(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """A PulseAudio of our own with one null sink; the environment of programs that use it."""
    socket = tmp_path / "native"
    config = tmp_path / "alsa.conf"
    config.write_text(f"<{ALSA}>\npcm.!default {{ type pulse }}\n")
    environment = os.environ | {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "PULSE_SERVER": f"unix:{socket}",
        "ALSA_CONFIG_PATH": str(config),
    }
    server = await asyncio.create_subprocess_exec(
        *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no"),
        f"--load=module-native-protocol-unix socket={socket} auth-anonymous=1",
        "--load=module-null-sink sink_name=speaker",
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(20):
            while not socket.exists():  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.05)
        yield environment
    finally:
        server.terminate()
        await server.wait()


async def test_a_call_through_speaker_and_microphone(sound_server: Mapping[str, str]) -> None:
    """Bob hears his own tone, which came out of our speaker and into our microphone."""
    heard = asyncio.Event()

    async def play_and_listen(invitation: sipstack.Invitation) -> None:
        async with invitation.accept() as call, call.playing(sine(1000.0, 0.1), loop=True):
            pcm = bytearray()
            async for frame in call.audio:
                pcm = (pcm + frame.pcm)[-8000:]
                if len(pcm) == 8000 and purity(bytes(pcm), 1000.0) > 0.9:
                    heard.set()
                    return

    async with agent() as bob, bob.serving(play_and_listen):
        arguments = ("call", bob.contact, *ANY_PORT, "--audio", "device:pulse", "--duration", "20", "--json")
        async with process(*arguments, variables=sound_server) as run:
            status, events, errors = await outcome(run)
    assert status == ExitStatus.DONE, (events, errors)
    assert heard.is_set()
    assert events[-1]["by"] == "remote"


async def test_a_device_that_the_server_does_not_have(sound_server: Mapping[str, str]) -> None:
    arguments = ("call", "sip:bob@127.0.0.1:9", *ANY_PORT, "--audio", "device:Nonesuch", "--json")
    async with process(*arguments, variables=sound_server) as run:
        status, events, _ = await outcome(run)
    assert status == ExitStatus.MEDIA
    assert [event["event"] for event in events] == ["failed"]
    assert "'Nonesuch'" in events[0]["reason"]
