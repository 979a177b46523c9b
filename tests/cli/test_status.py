"""The exit codes and what they stand for."""

from __future__ import annotations

import pytest

from sipstack import errors
from sipstack.cli.status import CallsFailed, ExitStatus, NoAnswer, exit_status
from sipstack.message import Response


def test_the_codes_are_a_promise() -> None:
    assert {status.name: int(status) for status in ExitStatus} == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "REFUSED": 3,
        "NO_ANSWER": 4,
        "NETWORK": 5,
        "MEDIA": 6,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.CallRejected(Response(486)), ExitStatus.REFUSED),
        (errors.CallRejected(Response(603)), ExitStatus.REFUSED),
        (errors.CallRejected(Response(302)), ExitStatus.REFUSED),
        (errors.CallRejected(Response(480)), ExitStatus.REFUSED),
        (errors.CallRejected(Response(408)), ExitStatus.NO_ANSWER),
        (errors.CallRejected(Response(487)), ExitStatus.NO_ANSWER),
        (errors.RegistrationRejected(Response(403)), ExitStatus.REFUSED),
        (errors.AuthenticationFailed(Response(401)), ExitStatus.REFUSED),
        (errors.TransactionTimeout("no response"), ExitStatus.NO_ANSWER),
        (NoAnswer("no answer in 3 s"), ExitStatus.NO_ANSWER),
        (CallsFailed("2 of 10 calls failed"), ExitStatus.FAILED),
        (errors.TransportError("refused"), ExitStatus.NETWORK),
        (errors.ResolutionError("no address"), ExitStatus.NETWORK),
        (errors.FlowClosed("gone"), ExitStatus.NETWORK),
        (errors.RemoteProtocolError("no To tag"), ExitStatus.NETWORK),
        (errors.CallEnded("transport"), ExitStatus.NETWORK),
        (OSError(98, "Address already in use"), ExitStatus.NETWORK),
        (errors.NegotiationError("no common codec"), ExitStatus.MEDIA),
        (errors.MediaError("disk full"), ExitStatus.MEDIA),
        (errors.ParseError("not a URI"), ExitStatus.USAGE),
        (errors.LocalProtocolError("'sip:a@b:x' cannot be called"), ExitStatus.USAGE),
        (ImportError("a capture file needs scapy"), ExitStatus.USAGE),
        (KeyboardInterrupt(), ExitStatus.INTERRUPTED),
        (BrokenPipeError(32, "Broken pipe"), ExitStatus.INTERRUPTED),
        (ZeroDivisionError("a bug"), None),
    ],
    ids=repr,
)
def test_every_error_has_its_code(error: BaseException, status: ExitStatus | None) -> None:
    assert exit_status(error) is status
