"""A registration that a command keeps and reports."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import attrs
import click

import sipstack
from sipstack.cli.identity import Identity
from sipstack.cli.options import Function, uri
from sipstack.cli.report import Event
from sipstack.cli.run import Run
from sipstack.ua.account import ANONYMOUS

EXPIRES = 600  # seconds that a binding is asked for
UNRESERVED = "!*'()&=+$,;?/"  # in a user part, besides what quote() leaves alone (RFC 3261 §25.1)
RETRY = (1.0, 60.0)  # seconds: the first and the longest pause before another attempt


@contextlib.asynccontextmanager
async def registered(
    agent: sipstack.UserAgent, expires: int, *, once: bool = False
) -> AsyncIterator[sipstack.Registration]:
    """Register while the block runs; what worked once is tried again, unless ``once``. Raises SipError."""
    retry = None if once else sipstack.Backoff(*RETRY)
    async with agent.register(expires=expires, retry=retry) as registration:
        if registration.error is not None:
            raise registration.error  # what has never worked is not retried
        yield registration


async def follow(run: Run, registration: sipstack.Registration, aor: str, *, once: bool = False) -> None:
    """Report each state, until trying again will not help: that is raised. ``once``: only the first."""
    clock = asyncio.get_running_loop().time
    async for state in registration.states():
        if state.error is not None and state.retry_at is None:
            raise state.error
        if state.expires_at is not None:
            run.report(Event("registered", local=aor, expires_in=round(state.expires_at - clock(), 1)))
        else:
            status = getattr(state.error, "status", None)
            waits = None if state.retry_at is None else round(state.retry_at - clock(), 1)
            run.report(Event("lost", local=aor, status=status, reason=str(state.error), retry_in=waits))
        if once:
            return


def register_option(function: Function) -> Function:
    """Give a command ``--register``, received as ``register``: empty for the domain of ``--from``."""
    return click.option(
        "--register",
        is_flag=False,
        flag_value="",
        type=lambda value: value and uri(value),
        metavar="[REGISTRAR]",
        help="Register meanwhile, as --from says; at the domain of that address unless a registrar is given.",
    )(function)


def registered_as(register: str | None, identity: Identity, command: str) -> tuple[Identity, str | None]:
    """Who we are, and the registrar, None for none, as ``--register`` says."""
    if register is None:
        return identity, None
    if not register and identity.aor == ANONYMOUS:
        raise click.UsageError("--register needs to know who we are: give --from sip:you@pbx.example.com")
    aor, registrar = addresses(
        register or identity.aor, identity.aor, identity.username, f"{command} --register"
    )
    return attrs.evolve(identity, aor=aor), registrar


def addresses(
    target: str, aor: str, username: str | None = None, command: str = "register"
) -> tuple[str, str]:
    """The address-of-record and the registrar that ``target``, ``--from`` and ``--user`` name.

    The registrar's URI has no user (RFC 3261 §10.2). Without ``--from`` we are ``--user`` there.
    """
    if "@" in target:
        if aor not in (ANONYMOUS, target):
            raise click.UsageError(f"{target} names a user, so it is what gets registered: leave out --from")
        scheme, _, rest = target.partition(":")
        return target, f"{scheme}:{rest.rpartition('@')[2]}"
    if aor == ANONYMOUS and username:
        return target.replace(":", f":{quote(username, safe=UNRESERVED)}@", 1), target
    if aor == ANONYMOUS:
        user = target.replace(":", ":you@", 1)
        raise click.UsageError(f"who is to be registered? write: sipstack {command} {target} --from {user}")
    return aor, target
