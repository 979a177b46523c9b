"""The options that say who we are, where we listen, and whom we trust; ``Identity`` is what they come to."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import click

import sipstack
from sipstack.cli.environment import Environment
from sipstack.cli.options import Function, address_of_record, proxy, with_options
from sipstack.ua.account import ANONYMOUS

PASSWORD = "SIPSTACK_PASSWORD"
ANY_PORT = "udp:0.0.0.0:0"
TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")
LISTEN = re.compile(rf"({'|'.join(TRANSPORTS)}):(\[[^\[\]\s]+\]|[^:\[\]\s]+):(\d{{1,5}})", re.IGNORECASE)
SECURED = ("tls:", "wss:")
FILE = click.Path(exists=True, readable=True, path_type=Path)


@attrs.frozen
class Identity:
    """Our address-of-record, our credentials, where we listen, and how connections are secured."""

    listen: tuple[str, ...] = (ANY_PORT,)
    aor: str = ANONYMOUS
    username: str | None = None
    password: str | None = attrs.field(default=None, repr=False)
    proxy: str | None = None
    tls: sipstack.Tls = attrs.field(factory=lambda: sipstack.Tls())


def listen_address(value: str) -> str:
    """Check that an argument is an address to listen at, ``TRANSPORT:HOST:PORT``."""
    match = LISTEN.fullmatch(value)
    if match and int(match[3]) <= 65535:
        return value
    raise click.BadParameter(
        f"{value!r} is not TRANSPORT:HOST:PORT: write udp:0.0.0.0:5060 or tls:[::]:5061"
        f" (the transports are {', '.join(TRANSPORTS)})"
    )


def identity_options(listen: str = ANY_PORT) -> Callable[[Function], Function]:
    """Give a command the options of ``Identity``, which it receives as ``identity``."""
    options = (
        click.option(
            "--listen",
            type=listen_address,
            default=(listen,),
            multiple=True,
            metavar="TRANSPORT:HOST:PORT",
            show_default=True,
            help="Where to receive messages; port 0 takes a free one. May be given several times, with udp, "
            "tcp, tls, ws or wss. A transport that is not listened on is still used to reach others.",
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
        click.option(
            "--proxy",
            type=proxy,
            metavar="URI",
            help="Send everything through this proxy: a SIP URI, or wss://HOST:PORT/PATH.",
        ),
        click.option("--tls-cert", type=FILE, metavar="PEM", help="Our certificate, for tls: and wss:."),
        click.option("--tls-key", type=FILE, metavar="PEM", help="Its key, if it is not in the same file."),
        click.option(
            "--tls-ca",
            type=FILE,
            metavar="PEM",
            help="Trust the authorities in this file (or folder) in place of the system's.",
        ),
        click.option(
            "--tls-insecure", is_flag=True, help="Do not check whom a certificate is for. For tests only."
        ),
    )

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def command(
            listen: tuple[str, ...],
            aor: str,
            username: str | None,
            proxy: str | None,
            tls_cert: Path | None,
            tls_key: Path | None,
            tls_ca: Path | None,
            tls_insecure: bool,
            **rest: Any,
        ) -> Any:
            environment = click.get_current_context().ensure_object(Environment)
            if tls_key is not None and tls_cert is None:
                raise click.UsageError("--tls-key needs --tls-cert, the certificate that it belongs to")
            secured = next((each for each in listen if each.lower().startswith(SECURED)), None)
            if secured is not None and tls_cert is None:
                raise click.UsageError(f"--listen {secured} needs a certificate: give --tls-cert")
            tls = sipstack.Tls(certificate=tls_cert, key=tls_key, authority=tls_ca, verify=not tls_insecure)
            password = _password(environment, username)
            return function(identity=Identity(listen, aor, username, password, proxy, tls), **rest)

        return with_options(command, options)

    return decorate


def _password(environment: Environment, username: str | None) -> str | None:
    """The password from the environment; else, if there is a user name, from the terminal."""
    password = environment.variables.get(PASSWORD)
    if password is not None or username is None:
        return password
    if not environment.stdin.isatty():
        raise click.UsageError(f"--user needs a password: set the environment variable {PASSWORD}")
    return environment.ask_secret(f"Password of {username}: ")
