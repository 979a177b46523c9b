"""``sipstack call --codec`` and ``sipstack answer --codec``, on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest

import sipstack
from sipstack.cli.status import ExitStatus
from tests.cli.running import ANY_PORT, agent, command, echo, write_tune


def every_codec(host: str) -> sipstack.AudioSession:
    return sipstack.AudioSession(host, codecs=("PCMU", "G722", "opus"))


@pytest.mark.parametrize(("names", "chosen"), [(("opus", "PCMU"), "opus"), (("g722",), "G722")])
async def test_a_call_with_the_codecs_that_we_name(
    names: tuple[str, ...], chosen: str, tmp_path: Path
) -> None:
    tune, heard = write_tune(tmp_path / "tune.wav"), tmp_path / "heard.wav"
    codecs = [argument for name in names for argument in ("--codec", name)]
    async with agent(media=every_codec) as bob, bob.serving(echo):
        arguments = ("call", bob.contact, *codecs, "--play", str(tune), "--record", str(heard), *ANY_PORT)
        async with command(*arguments, "--json") as run:
            assert await run.status() == ExitStatus.DONE
    assert run.event_names == ["calling", "answered", "ended"]
    assert run.events[1]["codec"] == chosen
    assert run.events[2]["packets_received"] > 10
    assert heard.stat().st_size > 10_000


async def test_who_answers_takes_what_it_prefers() -> None:
    async with command(
        "answer", "--codec", "opus", "--codec", "PCMU", *ANY_PORT, "--calls", "1", "--json"
    ) as run:
        contact = (await run.event("listening"))["local"]
        async with agent("alice") as alice, alice.call(contact, media=every_codec) as call:
            assert call.codec == "opus"
        assert await run.status() == ExitStatus.DONE


@pytest.mark.parametrize("name", ["G729", "L16", ""])
async def test_a_codec_that_there_is_not_is_told_before_anybody_is_called(name: str) -> None:
    async with command("call", "sip:bob@127.0.0.1", "--codec", name) as run:
        assert await run.status() == ExitStatus.USAGE
    assert f"no such codec: {name}" in run.stderr
