"""A REFER of the peer: its answer, and the NOTIFYs that we owe for it (RFC 3515 §2.4)."""

from __future__ import annotations

from sipstack.dialog.retries import retry_after
from sipstack.dialog.services import CoreServices
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError, SipError
from sipstack.message import Headers, NameAddr, Request, Response
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.timers import NEVER
from sipstack.usage.refer.fragment import CONTENT_TYPE, write_status
from sipstack.usage.refer.outgoing import PACKAGE, wants_no_subscription

LASTS = 600
"""Seconds that the subscription lasts: as long as the call that it is about may ring."""
MOST_TRIES = 4
"""How often one NOTIFY goes out that is refused for the moment."""

TRYING = Response(100)


class IncomingRefer:
    """Waits for ``accept`` or ``refuse``, then tells by NOTIFY what becomes of our call, until a final
    response has been told. One NOTIFY is under way at a time: what changes meanwhile is told when that is
    answered, and only as it is then.

    A REFER that nobody has decided on for 8*T1 is accepted: its sender gives up soon. What refuses it then is
    a NOTIFY.
    """

    __slots__ = (
        "_core",
        "_due",
        "_expires_at",
        "_is_over",
        "_last",
        "_latest",
        "_pending",
        "_retry_at",
        "_tries",
        "_transaction",
        "deadline",
        "event",
        "host",
        "request",
        "scheduled",
        "silent",
        "target",
    )

    def __init__(
        self,
        core: CoreServices,
        host: DialogUsages,
        request: Request,
        transaction: AnyServer,
        target: NameAddr,
        now: float,
    ) -> None:
        self.host = host
        self.request = request
        self.target = target
        self.silent = wants_no_subscription(request)
        """Whether the peer wants no NOTIFY (RFC 4488)."""
        inside = request.to.tag is not None
        self.event = f"{PACKAGE};id={request.cseq.number}" if inside else PACKAGE
        self.deadline = now + 8 * core.timers.t1
        self.scheduled = NEVER
        self._core = core
        self._transaction: AnyServer | None = transaction  # until REFER is answered
        self._latest = TRYING
        self._expires_at = NEVER
        self._retry_at = NEVER
        self._tries = 0
        self._pending = False  # a NOTIFY is under way
        self._due = False  # and another one waits for its end
        self._last = False  # the NOTIFY under way tells the end
        self._is_over = False
        core.schedule(self)

    def __repr__(self) -> str:
        return f"<IncomingRefer {self.target.uri_text} {self.request.call_id}>"

    # -- the answer to REFER -------------------------------------------------------------------------------

    def accept(self, now: float) -> None:
        """202, and the first NOTIFY. Does nothing when it is accepted; raises LocalProtocolError when it is
        refused.
        """
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            if self._expires_at == NEVER:
                raise LocalProtocolError("the REFER is refused")
            return
        core, host, request = self._core, self.host, self.request
        fields = core.dialog_fields(transaction.flow, host, session_description=False, now=now)
        added: list[tuple[str, object]] = []
        if request.to.tag is None:
            added += [("Record-Route", value) for value in request.headers.raw("Record-Route")]
        if self.silent:
            added.append(("Refer-Sub", "false"))
        response = request.response(
            202, to_tag=host.dialog.local_tag, headers=fields.joined(Headers(tuple(added)))
        )
        core.respond(transaction, response, now)
        self._expires_at = now + LASTS
        if self.silent:
            self._close()
            return
        host.add(self, ("SUBSCRIBE", PACKAGE, str(request.cseq.number) if request.to.tag else None))
        host.dialog.refresh_target(request)
        self._notify(now)

    def refuse(self, status: int, now: float) -> None:
        """Refuse it with 300 to 699, or tell that by NOTIFY when it is accepted already."""
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            self.tell(Response(status), now)
            return
        response = self.request.response(status, to_tag=self.host.dialog.local_tag)
        self._core.respond(transaction, response, now)
        self._close()

    # -- NOTIFY --------------------------------------------------------------------------------------------

    def tell(self, response: Response, now: float) -> None:
        """Tell the peer of this response to our call; a final one is the last."""
        if self._is_over or self._latest.status >= 200 or self._transaction is not None:
            return
        self._latest = response
        self._changed(now)

    def _changed(self, now: float) -> None:
        if self._pending or self._retry_at < NEVER:
            self._due = True
        else:
            self._notify(now)

    def _notify(self, now: float) -> None:
        self._due, self._retry_at = False, NEVER
        if self._latest.status >= 200:
            state = "terminated;reason=noresource"
        elif now >= self._expires_at:
            state = "terminated;reason=timeout"
        else:
            state = f"active;expires={int(self._expires_at - now)}"
        self._last = state.startswith("terminated")
        self._set_deadline()
        headers = (("Event", self.event), ("Subscription-State", state), ("Content-Type", CONTENT_TYPE))
        draft = self.host.draft("NOTIFY", headers, write_status(self._latest), contact=True)
        self._pending = True
        self.host.send(draft, self, now)

    def response_received(self, response: Response, now: float) -> None:
        if response.status < 200 or self._is_over:
            return
        self._pending = False
        if response.status < 300:
            self._tries = 0
        elif response.status in (491, 500, 503) and self._tries < MOST_TRIES:
            # not now: of two requests that overtake each other the older gets 500
            self._tries += 1
            self._retry_at = now + min(max(retry_after(response) or 0.0, 0.5 * self._tries), 10.0)
            self._set_deadline()
            return
        else:
            self._close()  # this usage, not the dialog (RFC 5057 §5.1)
            return
        if self._last:
            self._close()
        elif self._due:
            self._notify(now)

    def request_failed(self, error: SipError, now: float) -> None:
        """RFC 6665 §4.2.2: who does not answer a NOTIFY has no subscription any more."""
        self._close()

    # -- what the peer does with its subscription ----------------------------------------------------------

    def request_received(self, request: Request, transaction: AnyServer, now: float) -> None:
        """SUBSCRIBE: a refresh, or the end."""
        expires = request.headers.readable("Expires")
        seconds = LASTS if expires is None else min(expires, LASTS)
        self.host.dialog.refresh_target(request)
        flow = transaction.flow
        fields = self._core.dialog_fields(flow, self.host, session_description=False, now=now)
        response = request.response(200, headers=fields.joined(Headers((("Expires", str(seconds)),))))
        self._core.respond(transaction, response, now)
        self._expires_at = now + seconds
        self._changed(now)

    def ack_received(self, request: Request, now: float) -> None:
        """No REFER is acknowledged."""

    def lost(self, error: SipError, now: float) -> None:
        self._close()

    # -- time ----------------------------------------------------------------------------------------------

    def _set_deadline(self) -> None:
        self.deadline = min(self._retry_at, NEVER if self._last else self._expires_at)
        if self.deadline < NEVER:
            self._core.schedule(self)

    def timeout(self, now: float) -> None:
        self.deadline = NEVER
        if self._transaction is not None:
            self.accept(now)
        elif now >= self._retry_at:
            self._notify(now)
        else:
            self._changed(now)  # it has run out

    def faulted(self, error: SipError, now: float) -> None:
        self._close()

    def _close(self) -> None:
        if not self._is_over:
            self._is_over = True
            self.deadline = self._retry_at = NEVER
            self.host.remove(self)
