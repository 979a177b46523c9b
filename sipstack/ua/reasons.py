"""Why something ended, as the other side says, and as we say it (RFC 3326)."""

from __future__ import annotations

from sipstack.errors import CallEnded, LocalProtocolError, RequestFailed
from sipstack.message import Headers, Reason, Request, Response
from sipstack.ua.arguments import check_text
from sipstack.usage.invite.reasons import CLEARED


def reasons(of: CallEnded | RequestFailed | Request | Response | str) -> tuple[Reason, ...]:
    """What the Reason field says: of a call that ended, a refusal, a message, or of the text in
    ``invitation.cancel_reason``. Each has ``protocol`` ("SIP", "Q.850"), ``cause`` (a status, or the cause of
    Q.850: 16 is normal clearing, 17 busy) and ``text``.

    What cannot be read is left out.
    """
    match of:
        case CallEnded(reason=text):
            pass
        case RequestFailed(response=response):
            text = ", ".join(response.headers.raw("Reason"))
        case Request() | Response():
            text = ", ".join(of.headers.raw("Reason"))
        case _:
            text = of
    try:
        found: tuple[Reason, ...] = Headers([("Reason", text)]).readable("Reason") if text else ()
    except LocalProtocolError:  # a text of another kind
        return ()
    return tuple(each for each in found if "cause" in each.parameters)


def reason_field(reason: str | None) -> Headers:
    """Our own. Raises LocalProtocolError for what no field can hold."""
    return Headers([("Reason", check_text(reason))]) if reason else CLEARED
