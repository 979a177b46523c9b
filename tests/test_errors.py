"""Which errors may pass: one rule, for registrations, for the command line and for applications."""

from __future__ import annotations

import pytest

from sipstack import errors
from sipstack.message import Response

REFUSALS = (
    errors.RequestFailed,
    errors.CallRejected,
    errors.RegistrationRejected,
    errors.AuthenticationFailed,
)


@pytest.mark.parametrize("kind", REFUSALS)
def test_refusals_that_blame_the_server_or_the_moment_are_transient(
    kind: type[errors.RequestFailed],
) -> None:
    transient = [status for status in range(300, 700) if kind(Response(status)).transient]
    assert transient == [408, 480, 500, 502, 503, 504]


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (errors.SipError("of no kind"), False),
        (errors.ParseError("not a URI"), False),
        (errors.LocalProtocolError("not in this state"), False),
        (errors.RemoteProtocolError("no To tag"), False),
        (errors.NegotiationError("no common codec"), False),
        (errors.MediaError("disk full"), False),
        (errors.CallEnded("remote"), False),
        (errors.TransportError("refused"), True),
        (errors.ResolutionError("no address"), True),
        (errors.FlowClosed("gone"), True),
        (errors.TransactionTimeout("no response"), True),
    ],
    ids=repr,
)
def test_of_the_other_errors_those_of_the_network_are_transient(
    error: errors.SipError, transient: bool
) -> None:
    assert error.transient is transient
