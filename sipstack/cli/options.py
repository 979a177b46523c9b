"""The options and the argument types that commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

from sipstack.cli.environment import Environment

PASSWORD = "SIPSTACK_PASSWORD"
ANONYMOUS = "sip:anonymous@anonymous.invalid"
LISTEN = re.compile(r"udp:(\[[^\[\]\s]+\]|[^:\[\]\s]+):(\d{1,5})", re.IGNORECASE)
URI = re.compile(r"(sips?|tel):\S+", re.IGNORECASE)

Function = Callable[..., Any]


@attrs.frozen
class Identity:
    """Our address-of-record, our credentials, and where we listen."""

    listen: str
    aor: str
    username: str | None
    password: str | None = attrs.field(repr=False)
    proxy: str | None


@attrs.frozen
class Output:
    """The options for what a command shows and keeps."""

    json: bool
    trace: bool
    pcap: Path | None
    verbose: int


def uri(value: str) -> str:
    """Check that an argument is a SIP URI; the error says what to write instead."""
    if URI.fullmatch(value):
        return value
    raise click.BadParameter(f"{value!r} is not a SIP URI: write {_as_uri(value)}")


def address_of_record(value: str) -> str:
    """Check that an argument is an address-of-record; a tel: URI names no domain, so it is none."""
    if uri(value).lower().startswith("tel:"):
        raise click.BadParameter(f"{value!r} names no domain: write sip:alice@example.com")
    return value


def _as_uri(value: str) -> str:
    return f"sip:{value}" if re.fullmatch(r"[^\s:/]+", value) else "sip:600@pbx.example.com"


def listen_address(value: str) -> str:
    """Check that an argument is an address to listen at, ``udp:HOST:PORT``."""
    match = LISTEN.fullmatch(value)
    if match and int(match[2]) <= 65535:
        return value
    raise click.BadParameter(f"{value!r} is not udp:HOST:PORT: write udp:0.0.0.0:5060 or udp:[::]:5060")


def seconds(name: str, text: str, **more: Any) -> Callable[[Function], Function]:
    """An option that takes a number of seconds."""
    return click.option(name, type=click.FloatRange(min=0, min_open=True), metavar="S", help=text, **more)


def wav(name: str, text: str, *, must_exist: bool = False) -> Callable[[Function], Function]:
    """An option that names a WAV file."""
    kind = click.Path(exists=must_exist, dir_okay=False, readable=must_exist, path_type=Path)
    return click.option(name, type=kind, metavar="WAV", help=text)


def identity_options(listen: str = "udp:0.0.0.0:0") -> Callable[[Function], Function]:
    """Give a command the options of ``Identity``, which it receives as ``identity``."""
    options = (
        click.option(
            "--listen",
            type=listen_address,
            default=listen,
            metavar="udp:HOST:PORT",
            show_default=True,
            help="Where to receive messages; port 0 takes a free one.",
        ),
        click.option(
            "--from",
            "aor",
            type=address_of_record,
            default=ANONYMOUS,
            metavar="AOR",
            help="Who we are: our address-of-record, such as sip:alice@example.com.",
        ),
        click.option(
            "--user",
            "username",
            metavar="NAME",
            help="User name for authentication, if not the AOR's. The password is asked for, or "
            f"taken from the environment variable {PASSWORD}; it is never an argument.",
        ),
        click.option("--proxy", type=uri, metavar="URI", help="Send everything through this proxy."),
    )

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(listen: str, aor: str, username: str | None, proxy: str | None, **rest: Any) -> Any:
            environment = click.get_current_context().ensure_object(Environment)
            password = _password(environment, username)
            return function(identity=Identity(listen, aor, username, password, proxy), **rest)

        return _with_options(command, options)

    return decorate


def output_options(function: Function) -> Function:
    """Give a command the options of ``Output``, which it receives as ``output``."""
    options = (
        click.option("--json", is_flag=True, help="Write one JSON object a line on standard output."),
        click.option("--trace", is_flag=True, help="Draw the messages as a ladder on standard error, live."),
        click.option(
            "--pcap",
            type=click.Path(dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Capture the messages in FILE, for Wireshark. Needs the extra 'trace'.",
        ),
        click.option("-v", "--verbose", count=True, help="Write a log to standard error (-vv: in detail)."),
    )

    @functools.wraps(function)
    def command(json: bool, trace: bool, pcap: Path | None, verbose: int, **rest: Any) -> Any:
        return function(output=Output(json, trace, pcap, verbose), **rest)

    return _with_options(command, options)


def _with_options(function: Function, options: tuple[Callable[[Function], Function], ...]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function


def _password(environment: Environment, username: str | None) -> str | None:
    """The password from the environment; else, if there is a user name, from the terminal."""
    password = environment.variables.get(PASSWORD)
    if password is not None or username is None:
        return password
    if not environment.stdin.isatty():
        raise click.UsageError(f"--user needs a password: set the environment variable {PASSWORD}")
    return environment.ask_secret(f"Password of {username}: ")
