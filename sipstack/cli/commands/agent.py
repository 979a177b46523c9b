"""``sipstack agent``: calls for a voice bot in any language."""

from __future__ import annotations

import shlex
from pathlib import Path

import attrs
import click
from click.core import ParameterSource

import sipstack
from sipstack import errors
from sipstack.agents.channel import Agent, ProgramAgent, agent_at
from sipstack.agents.conversation import conversation
from sipstack.cli.call_plan import CallPlan
from sipstack.cli.commands.answer import AnswerCalls
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import ANY_PORT, Identity, identity_options
from sipstack.cli.options import Output, output_options, recorded, seconds, uri
from sipstack.cli.outgoing_call import PlaceCall
from sipstack.cli.registering import register_option, registered_as
from sipstack.cli.run import run_command
from sipstack.cli.srtp import Security, srtp_options
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    ("calls at port 5060 go to a bot that is a WebSocket server", "sipstack agent ws://127.0.0.1:8765"),
    (
        "a phone of a PBX, registered as bot, that starts a program for each call",
        'sipstack agent --exec "python bot.py" --register --from sip:bot@pbx.example.com --user bot',
    ),
    (
        "the bot calls somebody, in telephone quality",
        "sipstack agent tcp:127.0.0.1:9000 --call sip:alice@example.com --rate 8000",
    ),
)


def _address(context: click.Context, argument: click.Parameter, value: str | None) -> Agent | None:
    try:
        return None if value is None else agent_at(value)
    except errors.LocalProtocolError as error:
        raise click.BadParameter(str(error)) from error


def _program(context: click.Context, option: click.Parameter, value: str | None) -> Agent | None:
    if value is None:
        return None
    try:
        words = shlex.split(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r}: {error}") from error
    if not words:
        raise click.BadParameter("no program is named")
    return ProgramAgent(tuple(words))


def _rate(context: click.Context, option: click.Parameter, value: int) -> int:
    if value % 50:
        raise click.BadParameter(f"{value} is no multiple of 50: 20 ms must be whole samples")
    return value


@click.command(
    "agent",
    cls=CommandWithExamples,
    examples=EXAMPLES,
    short_help="Give calls to a voice bot, in any language.",
)
@click.argument("address", required=False, callback=_address, metavar="[ADDRESS]")
@click.option(
    "--exec",
    "program",
    callback=_program,
    metavar="COMMAND",
    help="Start this program for each call; it talks on its standard input and output.",
)
@click.option(
    "--rate",
    type=click.IntRange(8000, 48000),
    callback=_rate,
    default=16000,
    metavar="HZ",
    show_default=True,
    help="Samples a second of the audio, both ways. Others than the call's need the extra 'media'.",
)
@click.option("--call", "target", type=uri, metavar="URI", help="Place one call; else calls are answered.")
@recorded("Record what the other side says; the second call goes to NAME-2.wav, and so on.")
@click.option("--calls", type=click.IntRange(min=1), metavar="N", help="Leave after N calls; else at Ctrl-C.")
@seconds("--duration", "Hang up S seconds after the answer.")
@seconds("--ring-timeout", "With --call: give up when nobody answers in S seconds (exit code 4).")
@click.option(
    "--max-calls",
    type=click.IntRange(min=1),
    metavar="N",
    help="Refuse with 503 beyond N calls at a time; else beyond what 'ulimit -n' allows.",
)
@register_option
@srtp_options
@identity_options(listen="udp:0.0.0.0:5060")
@output_options
@click.pass_context
def agent(
    context: click.Context,
    address: Agent | None,
    program: Agent | None,
    rate: int,
    target: str | None,
    record: Path | None,
    calls: int | None,
    duration: float | None,
    ring_timeout: float | None,
    max_calls: int | None,
    register: str | None,
    security: Security,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Give calls to a voice bot at ADDRESS, ws://HOST:PORT/PATH (or wss:) or tcp:HOST:PORT, or to a program.

    The bot gets and gives 16-bit little-endian mono PCM, and JSON objects. On a WebSocket, which needs the
    extra 'websocket', audio is in binary messages and JSON in text messages. On TCP and for --exec each
    message is a frame: one octet, A for audio or J for JSON, two octets with the length (big-endian), and
    the message.

    \b
    The bot is told   {"event": "start", "call": ..., "from": ..., "to": ..., "rate": 16000}
                      {"event": "digit", "digit": "5"}
                      {"event": "cleared", "unsaid": 1.5}
                      {"event": "error", "command": ..., "reason": ...}
                      {"event": "end", "by": ..., "reason": ...}
    and may say       {"command": "hang_up"}      once what it sent is said
                      {"command": "clear"}        drop what is not said yet
                      {"command": "send_digits", "digits": "12#"}
                      {"command": "transfer", "target": ...}     have the other side call a SIP URI

    One connection is one call, made before the call is answered: when the bot is not there, the caller gets
    a 503 after 5 seconds. A bot that goes away without hang_up ends its call. The protocol in full:
    python -m pydoc sipstack.agents.wire
    """
    bot = _one_of(address, program)
    plan = CallPlan(record=record, duration=duration, partner=lambda: conversation(bot, rate))
    environment = context.ensure_object(Environment)
    if target is None:
        if ring_timeout is not None:
            raise click.UsageError("--ring-timeout is for --call")
        identity, registrar = registered_as(register, identity, "agent")
        limits = sipstack.Limits(calls=max_calls)
        answer = AnswerCalls(identity, plan, None, None, calls, registrar, limits, security)
        return run_command(environment, output, answer)
    if any(option is not None for option in (calls, max_calls, register)):
        raise click.UsageError(
            "--calls, --max-calls and --register are for answering: leave them or --call out"
        )
    if context.get_parameter_source("listen") is ParameterSource.DEFAULT:
        identity = attrs.evolve(identity, listen=(ANY_PORT,))
    return run_command(
        environment, output, PlaceCall(identity, target, plan, ring_timeout, security=security)
    )


def _one_of(address: Agent | None, program: Agent | None) -> Agent:
    if address is not None and program is not None:
        raise click.UsageError("ADDRESS and --exec exclude each other: give one of them")
    bot = address or program
    if bot is None:
        raise click.UsageError("where is the bot? give ws://HOST:PORT, tcp:HOST:PORT or --exec COMMAND")
    return bot
