"""Which errors may pass: one rule, for registrations, for the command line and for applications."""

from __future__ import annotations

import traceback

import pytest

from sipstack import errors
from sipstack.errors import CallEnded, CallRejected
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


def test_a_registrar_that_answers_2xx_without_our_binding_may_have_it_the_next_time() -> None:
    assert errors.RegistrationRejected(Response(200)).transient


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),  # C1: as good as ESC [
        ("a\r\nb\x00", "a\\r\\nb\\x00"),
        ("\u202eevil", "\\u202eevil"),
        ("\udcff", "\\udcff"),
        ("Jäsøn \\ 電話", "Jäsøn \\ 電話"),
    ],
)
def test_a_peers_text_in_an_error_is_printable(text: str, shown: str) -> None:
    response = Response(401, headers=[("WWW-Authenticate", 'Digest realm="R", nonce="1"')])
    refused = errors.AuthenticationFailed(response, text)
    found = [
        *(str(kind(text)) for kind in (errors.SipError, errors.ParseError, errors.RemoteProtocolError)),
        str(errors.TransportError(text)),
        str(errors.CallEnded("remote", text)).removeprefix("call ended by remote: "),
    ]
    assert found == [shown] * 5
    assert str(refused).isprintable()


@pytest.mark.parametrize(
    ("challenges", "realm"),
    [
        (['Digest realm="R", nonce="1"'], "R"),
        (['Basic realm="B"', 'Digest realm="R", nonce="1"'], "R"),
        (['Basic realm="B"'], "B"),
        ([], ""),
    ],
)
def test_who_asks_for_credentials(challenges: list[str], realm: str) -> None:
    response = Response(401, headers=[("WWW-Authenticate", each) for each in challenges])
    assert errors.AuthenticationFailed(response).realm == realm


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
        (errors.InternalError("ZeroDivisionError"), False),
    ],
    ids=repr,
)
def test_of_the_other_errors_those_of_the_network_are_transient(
    error: errors.SipError, transient: bool
) -> None:
    assert error.transient is transient


def test_what_a_stranger_wrote_cannot_command_a_terminal() -> None:
    """ESC and C1 would be obeyed where a traceback or a log is shown; attributes have the text as it came."""
    reason = "B\x1b]0;owned\x07usy\x9b2J\u202e"
    error = CallRejected(Response(486, reason))
    shown = "486 B\\x1b]0;owned\\x07usy\\x9b2J\\u202e"
    assert (str(error), error.reason) == (shown, reason)
    assert shown in traceback.format_exception(error)[-1]
    assert str(CallEnded("remote", "\x1b[2J")) == "call ended by remote: \\x1b[2J"
    assert str(errors.ParseError("Grüße, 你好")) == "Grüße, 你好"
