"""Transfers on the command line: the option of a call, and what is reported while one is under way."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager

import click

import sipstack
from sipstack.cli.options import uri
from sipstack.cli.report import Event, Reporting

transfer_option = click.option(
    "--transfer",
    type=uri,
    metavar="URI",
    help="At the end have the other side call this URI, wait until that is answered, and only then hang up."
    " The end is that of --duration; without it, once --dtmf, --play and --hold-after are done.",
)


async def report_transfer(
    run: Reporting, local: str, transferring: AbstractAsyncContextManager[sipstack.Transfer]
) -> None:
    """Carry out a transfer, such as ``call.transferring(target)``, and report how it goes. Raises what
    ``Call.transfer`` raises.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    async with transferring as transfer:
        run.call_id = transfer.id
        run.report(Event("transferring", call_id=transfer.id, local=local, remote=transfer.target))
        with run.report.waiting("transferring"):
            async for response in transfer:
                told = Event("progress", call_id=transfer.id, status=response.status, reason=response.reason)
                run.report(told)
            response = await transfer.completed()
    run.report(
        Event(
            "transferred",
            call_id=transfer.id,
            local=local,
            remote=transfer.target,
            status=response.status,
            reason=response.reason,
            round_trip=round(clock() - began, 4),
        )
    )
