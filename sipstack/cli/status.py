"""The exit codes of every command, in one place."""

from __future__ import annotations

from enum import IntEnum

from sipstack import errors


class NoAnswer(errors.SipError):
    """Nobody answered before the ring timeout."""


class CallsFailed(errors.SipError):
    """Some of several calls failed; each has been told of."""


class ExitStatus(IntEnum):
    """The exit code of a command. ``meaning`` is the line that the help shows."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitStatus:
        status = int.__new__(cls, value)
        status._value_ = value
        status.meaning = meaning
        return status

    DONE = 0, "done"
    FAILED = 1, "of several calls some failed: they were refused, not answered, or broke off"
    USAGE = 2, "usage: the command line cannot work, nothing was sent"
    REFUSED = 3, "refused: the peer answered with a failure, such as 486 Busy Here"
    NO_ANSWER = 4, "no answer: nobody picked up, or no response came, in time"
    NETWORK = 5, "transport or resolution: no address, no route, or the network refused"
    MEDIA = 6, "media: no common codec, or audio that cannot be read, written or recognised"
    INTERRUPTED = 130, "interrupted by Ctrl-C or SIGTERM; calls were hung up first"


def exit_status(error: BaseException) -> ExitStatus | None:
    """The exit code for ``error``; ``None`` for an error that can only be a bug of ours."""
    match error:
        case KeyboardInterrupt() | BrokenPipeError():
            return ExitStatus.INTERRUPTED
        case CallsFailed():
            return ExitStatus.FAILED
        case errors.RequestFailed(status=408 | 487):  # a proxy's timer; our own CANCEL
            return ExitStatus.NO_ANSWER
        case errors.RequestFailed():
            return ExitStatus.REFUSED
        case errors.TransactionTimeout() | NoAnswer():
            return ExitStatus.NO_ANSWER
        case errors.NegotiationError() | errors.MediaError():
            return ExitStatus.MEDIA
        case errors.TransportError() | errors.RemoteProtocolError() | errors.CallEnded() | OSError():
            return ExitStatus.NETWORK
        # no URI; a missing extra; a file that keeps nothing
        case errors.ParseError() | errors.LocalProtocolError() | ImportError() | errors.StoreError():
            return ExitStatus.USAGE
        case _:
            return None
