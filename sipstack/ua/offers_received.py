"""An offer of the other side inside of a call, accepted or not yet, and our answer to it."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from sipstack.errors import CallEnded, LocalProtocolError, NegotiationError, ParseError, RemoteProtocolError
from sipstack.log import CALL
from sipstack.sdp import SessionDescription
from sipstack.ua.runtime import Runtime
from sipstack.usage.invite.session import Session

Describe = Callable[[bytes], Awaitable[SessionDescription]]
"""Our answer to an offer, or our offer where theirs is empty. Raises CallEnded."""


async def answer_offer(runtime: Runtime, session: Session, body: bytes, describe: Describe) -> None:
    """Answer it with what ``describe`` says, or refuse it, unless CANCEL or BYE was faster."""
    now = runtime.now
    try:
        description = await describe(body)
    except (NegotiationError, ParseError, RemoteProtocolError) as error:
        CALL.info("%s: an offer is refused: %s", session.dialog.call_id, error)
        _unless_withdrawn(runtime, lambda: session.refuse_offer(488, now()))
    except CallEnded:
        return
    except LocalProtocolError as error:  # the media is closed: the call ends, or is refused
        CALL.info("%s: an offer comes too late: %s", session.dialog.call_id, error)
        _unless_withdrawn(runtime, lambda: session.refuse_offer(487, now()))
    except Exception:
        _unless_withdrawn(runtime, lambda: session.refuse_offer(500, now()))
        raise
    else:
        _unless_withdrawn(runtime, lambda: session.accept_offer(bytes(description), now()))


def _unless_withdrawn(runtime: Runtime, command: Callable[[], None]) -> None:
    with contextlib.suppress(LocalProtocolError):
        runtime.command(command)
