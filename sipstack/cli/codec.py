"""The option ``--codec``: which codecs the calls may have."""

from __future__ import annotations

import click

import sipstack
from sipstack import errors
from sipstack.cli.options import SAMPLE_RATE, Function


def codec_option(function: Function) -> Function:
    """Give a command ``--codec``, which it receives as ``codecs``; () is what calls have by themselves."""
    return click.option(
        "--codec",
        "codecs",
        multiple=True,
        metavar="NAME",
        callback=_check_codecs,
        is_eager=True,  # what is played is tried at its sample rate
        help="Use this codec: opus, G722, PCMU, PCMA, L16/16000 ... May be given several times, the one that "
        "we prefer first; else PCMU and PCMA.",
    )(function)


def sample_rate(context: click.Context) -> int:
    """Of the calls, as far as the options that were read tell."""
    codecs: tuple[str, ...] | None = context.params.get("codecs")
    return sipstack.AudioSession("127.0.0.1", codecs=codecs).audio.sample_rate if codecs else SAMPLE_RATE


def _check_codecs(
    context: click.Context, option: click.Parameter, codecs: tuple[str, ...]
) -> tuple[str, ...]:
    if codecs:
        try:
            sipstack.AudioSession("127.0.0.1", codecs=codecs)
        except errors.MediaError as error:
            raise click.BadParameter(str(error)) from error
    return codecs
