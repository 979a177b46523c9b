"""The options that say what the INVITE of a call asks for; ``SessionOptions`` is what they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import click

import sipstack
from sipstack import errors
from sipstack.cli.options import Function, with_options
from sipstack.ua.arguments import IN_INVITES, header_fields

Fields = tuple[tuple[str, str], ...]


@attrs.frozen
class SessionOptions:
    """What a call is asked for with. ``headers`` are further header fields of its INVITE."""

    headers: Fields = ()
    replace: str | None = None
    """The call whose place it takes, as a Replaces field names it."""
    timer: sipstack.SessionTimer | None = attrs.field(factory=sipstack.SessionTimer)
    early_media: bool = False
    """Audio is heard, played and recorded before the answer."""

    @property
    def fields(self) -> Fields:
        """All header fields that come of it. Who does not know Replaces must refuse: to him it would be one
        call more (RFC 3891 §4).
        """
        if self.replace is None:
            return self.headers
        return (*self.headers, ("Replaces", self.replace), ("Require", "replaces"))

    @property
    def agent_arguments(self) -> Mapping[str, Any]:
        """The arguments of the user agent that come of it."""
        return {"session_timer": self.timer}


def session_options(function: Callable[..., Any]) -> Function:
    """Give a command the options of ``SessionOptions``, which it receives as ``session``."""
    options = (
        click.option(
            "--early-media",
            is_flag=True,
            help="Begin with --play, --record and --audio before the answer, as soon as the other side sends"
            " audio or an announcement; else with the answer.",
        ),
        click.option(
            "--header",
            "headers",
            multiple=True,
            metavar="NAME:VALUE",
            callback=_read_headers,
            help="Send this header field in the INVITE. May be given several times.",
        ),
        click.option(
            "--timer",
            metavar="S|off",
            callback=_read_timer,
            help="Ask for a sign of the other side every S seconds at the most, 90 or more, and hang up"
            " without it (RFC 4028); else 1800. 'off' takes part in no session timer.",
        ),
        click.option(
            "--replace",
            metavar="DIALOG",
            callback=_check_dialog,
            help="Take the place of another call of TARGET, or pick it up while it rings (RFC 3891). DIALOG"
            " is CALL-ID;to-tag=TAG;from-tag=TAG, where to-tag is TARGET's: 'sipstack subscribe TARGET"
            " dialog' and traces show them.",
        ),
    )

    @functools.wraps(function)
    def command(
        early_media: bool,
        headers: Fields,
        timer: sipstack.SessionTimer | None,
        replace: str | None,
        **rest: Any,
    ) -> Any:
        return function(session=SessionOptions(headers, replace, timer, early_media), **rest)

    return with_options(command, options)


def _read_headers(context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> Fields:
    return tuple(_read_header(text) for text in texts)


def _read_header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    field = name.strip(), value.strip()
    if not colon or not field[0]:
        raise click.BadParameter(f"{text!r} is not NAME:VALUE: write it like 'Subject: lunch'")
    try:
        header_fields((field,), IN_INVITES)
    except errors.LocalProtocolError as error:
        raise click.BadParameter(f"{text!r} cannot be sent: {error}") from error
    return field


def _read_timer(
    context: click.Context, option: click.Parameter, text: str | None
) -> sipstack.SessionTimer | None:
    if text == "off":
        return None
    if text is None:
        return sipstack.SessionTimer()
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is neither whole seconds nor 'off'")
    try:
        return sipstack.SessionTimer(int(text))
    except errors.LocalProtocolError as error:
        raise click.BadParameter(str(error)) from error


def _check_dialog(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    if text is None:
        return None
    call_id, *parameters = [part.strip() for part in text.split(";")]
    names = [each.partition("=")[0].lower() for each in parameters if each.partition("=")[2]]
    if not call_id or sorted(names) != ["from-tag", "to-tag"] or any(map(str.isspace, text)):
        raise click.BadParameter(f"{text!r} names no call: write CALL-ID;to-tag=TAG;from-tag=TAG")
    return text
