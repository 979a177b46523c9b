"""``sipstack call``: place one call."""

from __future__ import annotations

from pathlib import Path

import attrs
import click

from sipstack.cli.actions import Actions, action_options
from sipstack.cli.call_audio import Handset, audio_option, check_handset, check_talk
from sipstack.cli.call_plan import CallPlan, check_writable
from sipstack.cli.codec import codec_option
from sipstack.cli.environment import Environment
from sipstack.cli.help import CommandWithExamples
from sipstack.cli.identity import Identity, identity_options
from sipstack.cli.options import Output, check_other_file, output_options, played, recorded, seconds, uri
from sipstack.cli.outgoing_call import place_call
from sipstack.cli.run import Run, run_command
from sipstack.cli.session_options import SessionOptions, session_options
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
        "in a script: give up after 20 s of ringing, results as JSON, messages in a capture file",
        "sipstack call sip:bob@192.0.2.7:5070 --ring-timeout 20 --duration 5 --json --pcap call.pcap",
    ),
)


@attrs.frozen
class PlaceCall:
    """One call to place."""

    identity: Identity
    target: str
    plan: CallPlan
    ring_timeout: float | None
    session: SessionOptions = SessionOptions()
    security: Security = Security()
    codecs: tuple[str, ...] = ()

    async def __call__(self, run: Run) -> None:
        check_writable(self.plan.record)
        await check_handset(self.plan.audio)
        run.security, run.codecs = self.security, self.codecs
        async with run.agent(self.identity, **self.session.agent_arguments) as agent:
            await place_call(run, agent, self.target, self.plan, self.ring_timeout, self.session)


@click.command("call", cls=CommandWithExamples, examples=EXAMPLES)
@click.argument("target", type=uri)
@played("Play this file, once.")
@recorded("Record what is heard into this file.")
@seconds(
    "--duration",
    "Hang up S seconds after the answer; else at the end of the --play file, or when the peer hangs up.",
)
@audio_option
@seconds("--ring-timeout", "Give up when nobody answers in S seconds (exit code 4).")
@action_options
@session_options
@codec_option
@srtp_options
@identity_options()
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
    codecs: tuple[str, ...],
    security: Security,
    identity: Identity,
    output: Output,
) -> ExitStatus:
    """Call TARGET, a SIP URI, and send and record WAV files."""
    check_other_file(play, record)
    check_talk(audio, play)
    plan = CallPlan(play=play, record=record, duration=duration, audio=audio, actions=actions)
    command = PlaceCall(identity, target, plan, ring_timeout, session, security, codecs)
    return run_command(environment, output, command)
