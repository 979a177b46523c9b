"""The options that say what is done in a call beside its audio; ``Actions`` is what they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, get_args

import attrs
import click

from sipstack.cli.options import Function, seconds, with_options
from sipstack.cli.transfer import transfer_option

Way = Literal["auto", "rtp", "info", "info-plain", "inband"]
"""As ``call.dtmf.send`` takes it."""


@attrs.frozen
class Actions:
    """What is done in one call."""

    dtmf: str = ""
    """Digits to send after the answer."""
    dtmf_way: Way = "auto"
    hold_after: float | None = None
    """Seconds from the answer until the other side is put on hold."""
    transfer: str | None = None
    """Whom the other side is to call at the end."""


def action_options(function: Callable[..., Any]) -> Function:
    """Give a command the options of ``Actions``, which it receives as ``actions``."""
    options = (
        click.option(
            "--dtmf",
            default="",
            metavar="DIGITS",
            callback=_check_digits,
            help="Press these keys after the answer.",
        ),
        click.option(
            "--dtmf-way",
            type=click.Choice(get_args(Way)),
            default="auto",
            metavar="|".join(get_args(Way)),
            help="How they travel: rtp is RFC 4733, info and info-plain are SIP INFO (application/dtmf-relay,"
            " application/dtmf), inband are tones; auto, the default, is the first"
            " that works of rtp, info, inband.",
        ),
        seconds("--hold-after", "Put the other side on hold S seconds after the answer, until the end."),
        transfer_option,
    )

    @functools.wraps(function)
    def command(dtmf: str, dtmf_way: Way, hold_after: float | None, transfer: str | None, **rest: Any) -> Any:
        return function(actions=Actions(dtmf, dtmf_way, hold_after, transfer), **rest)

    return with_options(command, options)


def _check_digits(context: click.Context, option: click.Parameter, digits: str) -> str:
    if not set(digits.upper()) <= set("0123456789*#ABCD!"):
        raise click.BadParameter(f"{digits!r} has more than 0 to 9, *, #, A to D, and ! for flash")
    return digits
