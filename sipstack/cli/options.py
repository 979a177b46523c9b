"""The options and the argument types that commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.help import TRACE_FULL

URI = re.compile(r"(sips?|tel):\S+", re.IGNORECASE)
WEB = re.compile(r"wss?://[^\s/]+(/\S*)?", re.IGNORECASE)

SAMPLE_RATE = 8000  # of the calls that the command line places and answers, without --codec: G.711

Function = Callable[..., Any]


@attrs.frozen
class Output:
    """The options for what a command shows and keeps."""

    json: bool
    trace: bool
    pcap: Path | None
    verbose: int
    full: bool = False
    """The trace shows whole messages."""


def uri(value: str) -> str:
    """Check that an argument is a SIP URI; the error says what to write instead."""
    if URI.fullmatch(value):
        return value
    raise click.BadParameter(f"{value!r} is not a SIP URI: write {_as_uri(value)}")


def proxy(value: str) -> str:
    """Check that an argument names a proxy: a SIP URI, or the URL of a WebSocket."""
    return value if WEB.fullmatch(value) else uri(value)


def address_of_record(value: str) -> str:
    """Check that an argument is an address-of-record; a tel: URI names no domain, so it is none."""
    if uri(value).lower().startswith("tel:"):
        raise click.BadParameter(f"{value!r} names no domain: write sip:alice@example.com")
    return value


def user_of(aor: str) -> str:
    """The user part of an address-of-record, without a password; empty when it has none."""
    user, at, _ = aor.partition(":")[2].rpartition("@")
    return user.partition(":")[0] if at else ""


def _as_uri(value: str) -> str:
    return f"sip:{value}" if re.fullmatch(r"[^\s:/]+", value) else "sip:600@pbx.example.com"


def seconds(name: str, text: str, **more: Any) -> Callable[[Function], Function]:
    """An option that takes a number of seconds."""
    return click.option(name, type=click.FloatRange(min=0, min_open=True), metavar="S", help=text, **more)


def timeout_option(function: Function) -> Function:
    """Give a command ``--timeout``."""
    text = "Give up when no answer comes in S seconds (exit code 4); else in 32."
    return seconds("--timeout", text)(function)


def played(text: str) -> Callable[[Function], Function]:
    """The option ``--play``. The file is tried at once: nobody is called for one that cannot be played."""
    return _playable("--play", text)


def announced(text: str) -> Callable[[Function], Function]:
    """The option ``--announce``, which is tried like ``--play``."""
    return _playable("--announce", text)


def _playable(name: str, text: str) -> Callable[[Function], Function]:
    kind = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)
    return click.option(name, type=kind, metavar="WAV", help=text, callback=_check_playable)


def recorded(text: str) -> Callable[[Function], Function]:
    """The option ``--record``."""
    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option("--record", type=kind, metavar="WAV", help=text, callback=_check_is_wav)


def _check_playable(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    from sipstack.cli.codec import sample_rate

    return None if path is None else check_playable(path, sample_rate(context))


def check_playable(path: Path, sample_rate: int = SAMPLE_RATE) -> Path:
    """Raise ``BadParameter`` unless the file can be played."""
    if not path.is_file():  # opening a FIFO would wait for who writes it
        raise click.BadParameter(f"{path} is no regular file")
    try:
        sipstack.open_source(path, sample_rate).close()
    except errors.MediaError as error:
        raise click.BadParameter(f"it cannot be played: {error}") from error
    return path


def check_other_file(play: Path | None, record: Path | None, option: str = "--play") -> None:
    """Raise ``UsageError`` when what is to be played would be overwritten."""
    if play is not None and record is not None and record.exists() and play.samefile(record):
        raise click.UsageError(f"{option} and --record name the same file, {play}")


def _check_is_wav(context: click.Context, option: click.Parameter, path: Path | None) -> Path | None:
    if path is not None and path.suffix.lower() not in ("", ".wav", ".wave"):
        raise click.BadParameter(f"what is written is WAV: write {path.with_suffix('.wav')}")
    if path is not None and path.is_fifo():
        raise click.BadParameter(f"{path} is a FIFO, in which a WAV file cannot be completed")
    return path


def output_options(function: Function) -> Function:
    """Give a command the options of ``Output``, which it receives as ``output``."""
    options = (
        click.option("--json", is_flag=True, help="Write one JSON object a line on standard output."),
        click.option(
            "--trace",
            is_flag=True,
            help="Draw the messages as a ladder on standard error, live; --trace=full with their text.",
        ),
        click.option(TRACE_FULL, "full", is_flag=True, hidden=True),
        click.option(
            "--pcap",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Capture the messages and the audio (RTP) in FILE, for Wireshark. Needs the extra 'trace'.",
        ),
        click.option("-v", "--verbose", count=True, help="Write a log to standard error (-vv: in detail)."),
    )

    @functools.wraps(function)
    def command(json: bool, trace: bool, full: bool, pcap: Path | None, verbose: int, **rest: Any) -> Any:
        return function(output=Output(json, trace or full, pcap, verbose, full), **rest)

    return with_options(command, options)


def with_options(function: Function, options: tuple[Callable[[Function], Function], ...]) -> Function:
    """Give a command these options, in this order."""
    for option in reversed(options):
        function = option(function)
    return function
