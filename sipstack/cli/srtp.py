"""The options that say how the audio of a call is protected; ``Security`` is what they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import click

from sipstack.cli.options import Function, with_options


@attrs.frozen
class Security:
    """What protects the audio, as ``AudioSession`` takes it; None for its own choice."""

    security: Sequence[str] | None = None
    insecure_keys: bool = False

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments of ``AudioSession`` that differ from its own choice."""
        chosen: dict[str, Any] = {} if self.security is None else {"security": self.security}
        return chosen | {"insecure_keys": True} if self.insecure_keys else chosen


def srtp_options(function: Callable[..., Any]) -> Function:
    """Give a command the options of ``Security``, which it receives as ``security``."""
    options = (
        click.option(
            "--srtp",
            is_flag=True,
            help="Protect the audio by SRTP, or have no call. The keys stand in the messages (SDES), so "
            "these must go over TLS or WSS.",
        ),
        click.option("--srtp-optional", is_flag=True, help="Protect the audio if the peer can; else do not."),
        click.option(
            "--webrtc",
            is_flag=True,
            help="Protect the audio as browsers do, by DTLS-SRTP over ICE, or have no call.",
        ),
        click.option(
            "--insecure-keys",
            is_flag=True,
            help="Let keys go over UDP, TCP and WS too, where anybody may read them. For tests only.",
        ),
    )

    @functools.wraps(function)
    def command(srtp: bool, srtp_optional: bool, webrtc: bool, insecure_keys: bool, **rest: Any) -> Any:
        if srtp + srtp_optional + webrtc > 1:
            raise click.UsageError(
                "--srtp, --srtp-optional and --webrtc exclude each other: give one of them"
            )
        asked = {("sdes",): srtp, ("opportunistic", "sdes"): srtp_optional, ("dtls",): webrtc}
        security = next((names for names, is_asked in asked.items() if is_asked), None)
        return function(security=Security(security, insecure_keys), **rest)

    return with_options(command, options)
