"""The option ``--audio``: what stands in place of a handset."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.options import SAMPLE_RATE, Function, check_playable

DEVICE = re.compile(r"device(?::(?P<name>.+))?")
HINT = "; --audio null calls without one"


@attrs.frozen
class Device:
    """A sound device: its number, or its name or part of it; None is the system's choice."""

    name: str | int | None = None


Handset = Device | Path
"""A file is heard in place of a microphone, and nothing of the other side."""


def audio_option(function: Function) -> Function:
    """Give a command ``--audio``, which it receives as ``audio``: a ``Handset``, None for silence."""
    return click.option(
        "--audio",
        callback=_handset,
        metavar="device|null|FILE",
        help="Talk with 'device', the microphone and speaker of this machine (device:NAME is one of several,"
        " by number or part of its name; needs the extra 'sound'). 'null', the default, is silence; a file"
        " is played over and over.",
    )(function)


def _handset(context: click.Context, option: click.Parameter, value: str | None) -> Handset | None:
    if value is None or value == "null":
        return None
    match = DEVICE.fullmatch(value)
    if match is None:
        return check_playable(_existing(value))
    name = match["name"]
    return Device(int(name) if name and name.isdecimal() else name)


def _existing(value: str) -> Path:
    path = Path(value)
    if not path.exists():
        raise click.BadParameter(f"{value!r} is neither 'device', 'device:NAME', 'null' nor a file")
    return path


def check_talk(audio: Handset | None, play: Path | None, *, echo: bool = False) -> None:
    """Raise ``UsageError`` when two options would be heard at once."""
    if echo and audio is not None:
        raise click.UsageError("--echo and --audio exclude each other: give one of them")
    if play is not None and isinstance(audio, Path):
        raise click.UsageError("--play FILE and --audio FILE exclude each other: give one of them")


async def check_handset(handset: Handset | None) -> None:
    """Raise MediaError when the sound device cannot be opened: then nobody is called."""
    if isinstance(handset, Device):
        async with _opened(handset):
            pass


@contextlib.asynccontextmanager
async def connected(
    call: sipstack.Call | sipstack.OutgoingInvite, handset: Handset | None
) -> AsyncIterator[None]:
    """The handset is in the call while the block runs."""
    match handset:
        case None:
            yield
        case Path():
            async with call.playing(handset, loop=True):
                yield
        case Device():
            async with _opened(handset, call.audio.sample_rate) as card:
                async with call.playing(card.microphone), call.recording(card.speaker):
                    yield


@contextlib.asynccontextmanager
async def _opened(device: Device, sample_rate: int = SAMPLE_RATE) -> AsyncIterator[sipstack.SoundCard]:
    card = sipstack.SoundCard(sample_rate, device.name)
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(card)
        except errors.MediaError as error:
            raise errors.MediaError(f"{error}{HINT}") from error
        yield card
