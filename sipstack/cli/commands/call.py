"""``sipstack call``: place one call."""

from __future__ import annotations

from pathlib import Path

import click

from sipstack.cli.actions import Actions, action_options
from sipstack.cli.call_audio import Device, Handset, audio_option, check_talk
from sipstack.cli.call_plan import CallPlan
from sipstack.cli.codec import codec_option
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, check_other_file, output_options, played, recorded, seconds, uri
from sipstack.cli.outgoing_call import PlaceCall
from sipstack.cli.records_option import records_option
from sipstack.cli.repeating import RepeatCalls
from sipstack.cli.repetition import Repetition, repeat_options
from sipstack.cli.run import run_command
from sipstack.cli.session_options import SessionOptions, session_options
from sipstack.cli.sessions import Sessions, store_options
from sipstack.cli.srtp import Security, srtp_options
from sipstack.cli.status import ExitStatus

EXAMPLES = (
    (
        "play a file to extension 600, record what comes back, hang up after the file",
        "sipstack call sip:600@pbx.example.com --play hello.wav --record out.wav",
    ),
    (
        "as alice, whose password is asked for, with the microphone and the speaker of this machine",
        "sipstack call sip:bob@example.com --from sip:alice@example.com --user alice --audio device",
    ),
    (
        "press 1 in a menu, with Opus, protected as browsers protect it, and keep what is said",
        "sipstack call sip:menu@example.com --dtmf 1 --codec opus --webrtc --record menu.wav --duration 20",
    ),
    (
        "hear and keep what is said before the answer too; after 5 s hold, after 8 s transfer to bob",
        "sipstack call sip:600@pbx.example.com --early-media --record out.wav --hold-after 5 --duration 8"
        " --transfer sip:bob@example.com",
    ),
    (
        "100 calls, 5 a second, 20 at a time at the most: percentiles, and a report for a CI system",
        "sipstack call sip:600@192.0.2.7 --repeat 100 --rate 5 --parallel 20 --duration 3 --junit calls.xml",
    ),
    (
        "in a script: give up after 20 s of ringing, results as JSON, messages in a capture file",
        "sipstack call sip:bob@192.0.2.7:5070 --ring-timeout 20 --duration 5 --json --pcap call.pcap",
    ),
)


@click.command("call", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@played("Play this file, once.")
@recorded("Record what is heard into this file; with --repeat the second call goes to NAME-2.wav, and so on.")
@seconds(
    "--duration",
    "Hang up S seconds after the answer; else at the end of the --play file, or when the peer hangs up.",
)
@audio_option
@seconds("--ring-timeout", "Give up when nobody answers in S seconds (exit code 4).")
@action_options
@session_options
@repeat_options
@codec_option
@records_option
@srtp_options
@identity_options()
@store_options
@output_options
@click.pass_obj
def call(
    environment: Environment,
    target: str,
    play: Path | None,
    record: Path | None,
    duration: float | None,
    audio: Handset | None,
    ring_timeout: float | None,
    actions: Actions,
    session: SessionOptions,
    repetition: Repetition | None,
    codecs: tuple[str, ...],
    records: Path | None,
    security: Security,
    identity: Identity,
    sessions: Sessions,
    output: Output,
) -> ExitStatus:
    """Call TARGET, a SIP URI, and send and record WAV files."""
    check_other_file(play, record)
    check_talk(audio, play)
    plan = CallPlan(play=play, record=record, duration=duration, audio=audio, actions=actions)
    command = PlaceCall(identity, target, plan, ring_timeout, session, security, codecs, sessions, records)
    if repetition is None:
        return run_command(environment, output, command)
    if isinstance(audio, Device):
        raise click.UsageError("--repeat and --audio device exclude each other: there is one sound device")
    if sessions.path is not None:
        raise click.UsageError("--repeat and --session-store exclude each other: one call is gone on with")
    if session.replace is not None:
        raise click.UsageError("--repeat and --replace exclude each other: a call is replaced once")
    return run_command(environment, output, RepeatCalls(command, repetition, quiet=not output.json))
