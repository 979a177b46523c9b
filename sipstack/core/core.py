"""The whole endpoint as a pure state machine (RFC 3261 §8): octets, commands and the time go in; ``outputs``,
``events`` and one ``deadline`` come out. No socket, clock, task or random source inside.

After each input the driver takes every output and every event, performs them, and arms one timer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence

import attrs

from sipstack.core.authenticator import Authenticator
from sipstack.core.configuration import Configuration
from sipstack.core.dispatch import AckDispatch, Dispatch, Way
from sipstack.core.events import Event
from sipstack.core.outputs import Open, Output, Question, Resolve, Target, Transmit
from sipstack.core.routing import reply_flow
from sipstack.core.server import Server
from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.usage import AckSent, Sent, Usage
from sipstack.errors import ParseError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, MalformedMessage, Request, Response, Via, parse
from sipstack.message.headers import HeaderFields
from sipstack.message.validation import validate
from sipstack.transaction.deadlines import Deadlines, Waiting
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.transaction.machine import ClientUser, Transaction
from sipstack.usage.content import SDP
from sipstack.usage.invite.incoming import IncomingInvite
from sipstack.usage.invite.outgoing import OutgoingInvite
from sipstack.usage.invite.session import Session
from sipstack.usage.registration import Registration
from sipstack.usage.standalone import StandaloneRequest

MAXIMUM_FLOWS = 10_000


@attrs.define
class Counters:
    """What was dropped or refused without reaching anyone."""

    malformed: int = 0  # octets that are not SIP, or break its rules
    unmatched: int = 0  # responses and ACKs that nobody waits for
    overloaded: int = 0  # requests refused with 503


class Core:
    """One endpoint. ``now`` is in seconds of any monotonic clock, the same for all calls."""

    def __init__(self, configuration: Configuration, identifiers: Identifiers) -> None:
        self.configuration = configuration
        self.identifiers = identifiers
        self.timers = configuration.timers
        self.outputs: deque[Output] = deque()
        self.events: deque[Event] = deque()
        self.counters = Counters()
        self.deadlines = Deadlines()
        self.transactions = TransactionLayer(configuration.timers, self.deadlines, self.retransmit)
        self.authenticator = Authenticator(configuration.account, identifiers)
        self._server = Server(self)
        self._dialogs: dict[Hashable, Usage] = {}
        self._invitations: dict[Hashable, IncomingInvite] = {}
        self._introduction = Headers((*self._identity(), *self.capabilities()))
        self._described_introduction = self._introduction.with_("Content-Type", SDP)
        self._announcements: dict[tuple[str, bool], Headers] = {}
        self.flows: dict[Target, Flow] = {}  # known ways; the driver looks as well
        self._opening: dict[Target, list[Way]] = {}
        self._resolving: dict[Question, list[Way]] = {}
        self._contact_prefix = f"sip:{configuration.user}@" if configuration.user else "sip:"

    # -- inputs --------------------------------------------------------------------------------------------

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """A datagram or a framed message arrived on ``flow``. Never raises for what the network sent."""
        try:
            message = parse(data)
            validate(message)
            if isinstance(message, Request):
                self._receive_request(flow, message, now)
            else:
                self._receive_response(message, now)
        except ParseError as error:
            self._malformed(flow, error)

    def timeout(self, now: float) -> None:
        """The deadline is reached: run everything that is due."""
        for item in self.deadlines.due(now):
            if isinstance(item, Transaction):
                self.transactions.timeout(item, now)  # type: ignore[arg-type]
            else:
                item.timeout(now)  # type: ignore[attr-defined]

    @property
    def deadline(self) -> float:
        """When ``timeout`` wants to be called; infinite when nothing waits."""
        return self.deadlines.next

    def resolved(self, question: Question, addresses: Sequence[str], now: float) -> None:
        """The answer to a Resolve."""
        targets = [Target(question.transport, (address, question.port)) for address in addresses]
        for way in self._resolving.pop(question, ()):
            way.resolved(targets, now)

    def flow_opened(self, target: Target, flow: Flow, now: float) -> None:
        """The answer to an Open."""
        if len(self.flows) >= MAXIMUM_FLOWS:
            self.flows.pop(next(iter(self.flows)))
        self.flows[target] = flow
        for way in self._opening.pop(target, ()):
            way.flow_found(flow, now)

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None:
        """There is no way to the target, such as no route to its network."""
        for way in self._opening.pop(target, ()):
            way.flow_refused(error, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The network reported that the peer of ``flow`` is not there."""
        self.flows.pop(Target(flow.transport, flow.remote), None)
        self.transactions.flow_failed(flow, error, now)

    # -- commands ------------------------------------------------------------------------------------------

    def outgoing(self, target: str, offer: bytes, headers: HeaderFields = ()) -> OutgoingInvite:
        """A call to ``target`` (a URI); ``start`` sends it. Without an offer the callee makes it (late
        offer).
        """
        introduction = self._described_introduction if offer else self._introduction
        if headers:
            introduction = introduction.joined(Headers(headers))
        draft = self._draft("INVITE", target, introduction, offer, contact="")
        return OutgoingInvite(self, draft, offer)

    def standalone(
        self, method: str, target: str, headers: HeaderFields = (), body: bytes = b""
    ) -> StandaloneRequest:
        """A request outside of any dialog, such as OPTIONS or MESSAGE; ``start`` sends it."""
        draft = self._draft(method, target, Headers((*self._identity(), *headers)), body)
        return StandaloneRequest(self, draft)

    def register(self, registrar: str, expires: int, headers: HeaderFields = ()) -> Registration:
        """A registration of our address-of-record; ``refresh`` sends it."""
        return Registration(
            self, registrar, self.configuration.aor, expires, self._routes(), (*self._identity(), *headers)
        )

    def _draft(
        self, method: str, target: str, headers: Headers, body: bytes, contact: str | None = None
    ) -> Draft:
        configuration, identifiers = self.configuration, self.identifiers
        return Draft(
            method,
            target,
            f"{configuration.aor};tag={identifiers.tag()}",
            f"<{target}>",
            identifiers.call_id(),
            1,
            self._routes(),
            headers,
            body,
            contact,
        )

    def _routes(self) -> tuple[str, ...]:
        proxy = self.configuration.proxy
        return () if proxy is None else (proxy,)

    def _identity(self) -> HeaderFields:
        agent = self.configuration.user_agent
        return (("User-Agent", agent),) if agent else ()

    # -- requests from the network -------------------------------------------------------------------------

    def _receive_request(self, flow: Flow, request: Request, now: float) -> None:
        request = stamped(request, flow)
        method = request.method
        if method == "ACK":
            self._receive_ack(request, now)
            return
        reply = reply_flow(flow, request.via)
        transactions = self.transactions
        full = transactions.server_count >= self.configuration.maximum_transactions
        if full and not transactions.is_known(request):
            self.counters.overloaded += 1
            self._reply(reply, request, 503, (("Retry-After", "10"),))
            return
        transaction = transactions.receive_request(request, reply, now)
        if transaction is None:
            return
        try:
            self._serve(request, transaction, now)
        except ParseError as error:  # in a field that only its user reads, such as Expires
            self.counters.malformed += 1
            tag = self.identifiers.tag()
            self.respond(transaction, request.response(error.status, to_tag=tag), now)

    def _serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        if request.method == "CANCEL":
            self._receive_cancel(request, transaction, now)
        elif request.to.tag is None:
            self._server.receive(request, transaction, now)
        else:
            self._receive_in_dialog(request, transaction, now)

    def _receive_ack(self, request: Request, now: float) -> None:
        if self.transactions.receive_ack(request, now):
            return
        found = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag or ""))
        if found is None:
            self.counters.unmatched += 1
        else:
            found.ack_received(request, now)

    def _receive_in_dialog(self, request: Request, transaction: AnyServer, now: float) -> None:
        found = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag or ""))
        if found is None:  # §12.2.2
            self.respond(transaction, request.response(481), now)
            return
        refused = self._server.unsupported(request)
        if refused is not None:
            self.respond(transaction, request.response(refused[0], headers=refused[1]), now)
        else:
            found.request_received(request, transaction, now)

    def _receive_cancel(self, request: Request, transaction: AnyServer, now: float) -> None:
        invite = self.transactions.invite_to_cancel(request)
        if invite is None:
            self.respond(transaction, request.response(481, to_tag=self.identifiers.tag()), now)
            return
        invitation = self._invitations.get(invite.key)
        tag = invite.tag or self.identifiers.tag()
        self.respond(transaction, request.response(200, to_tag=tag), now)
        if invitation is not None:
            invitation.cancelled(request.headers.get("Reason") or "", now)
        elif request.to.tag is not None:
            self._cancel_in_dialog(request, invite, now)

    def _cancel_in_dialog(self, request: Request, invite: AnyServer, now: float) -> None:
        found = self._dialogs.get((request.call_id, request.to.tag, request.from_.tag or ""))
        if found is not None and isinstance(found, Session):
            found.cancel_received(invite, now)

    def _malformed(self, flow: Flow, error: ParseError) -> None:
        """Answer what can be answered (RFC 4475 §3.1.2), statelessly; drop the rest."""
        self.counters.malformed += 1
        request = error.request if isinstance(error, MalformedMessage) else None
        if request is None or request.method == "ACK":
            return
        try:
            self._reply(reply_flow(flow, request.via), stamped(request, flow), error.status)
        except ParseError:
            return

    def _reply(self, flow: Flow, request: Request, status: int, headers: HeaderFields = ()) -> None:
        self.retransmit(flow, bytes(request.response(status, to_tag=self.identifiers.tag(), headers=headers)))

    # -- responses from the network ------------------------------------------------------------------------

    def _receive_response(self, response: Response, now: float) -> None:
        # a response that has more Vias than ours was never meant for us (§8.1.3.3)
        vias = response.headers.raw("Via")
        alone = len(vias) == 1 and ("," not in vias[0] or len(response.vias) == 1)
        if not alone or not self.transactions.receive_response(response, now):
            self.counters.unmatched += 1

    # -- what usages and dispatches ask for ----------------------------------------------------------------

    def send(self, draft: Draft, user: ClientUser, now: float, dialog: Dialog | None = None) -> Sent:
        dispatch = Dispatch(self, draft, dialog, user)
        dispatch.find(now)
        return dispatch

    def send_ack(self, draft: Draft, user: AckSent, now: float, dialog: Dialog) -> None:
        AckDispatch(self, draft, dialog, user).find(now)

    def cancel(self, sent: Sent, now: float) -> None:
        if isinstance(sent, Dispatch):
            sent.cancel(now)

    def resolve(self, question: Question, way: Way) -> None:
        """Look a host name up for ``way``; one question serves all that ask it at a time."""
        waiting = self._resolving.get(question)
        if waiting is None:
            self._resolving[question] = [way]
            self.outputs.append(Resolve(question))
        else:
            waiting.append(way)

    def find_flow(self, target: Target, way: Way, now: float) -> None:
        """Give ``way`` the flow to ``target``, known or opened."""
        flow = self.flows.get(target)
        if flow is not None:
            way.flow_found(flow, now)
            return
        waiting = self._opening.get(target)
        if waiting is None:
            self._opening[target] = [way]
            self.outputs.append(Open(target))
        else:
            waiting.append(way)

    def respond(self, transaction: AnyServer, response: Response, now: float) -> None:
        self.transactions.respond(transaction, response, now)
        if response.status >= 200 and transaction.key in self._invitations:
            del self._invitations[transaction.key]

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        self._server.serve(request, transaction, now)

    def retransmit(self, flow: Flow, data: bytes) -> None:
        self.outputs.append(Transmit(flow, data))

    def contact(self, flow: Flow) -> str:
        return self._contact_prefix + flow.contact_address

    def announcement(self, flow: Flow, *, described: bool) -> Headers:
        key = (flow.contact_address, described)
        headers = self._announcements.get(key)
        if headers is None:
            lines: HeaderFields = (("Contact", f"<{self.contact(flow)}>"), *self.capabilities())
            content: HeaderFields = (("Content-Type", SDP),) if described else ()
            headers = self._announcements[key] = Headers((*lines, *content))
        return headers

    def capabilities(self) -> HeaderFields:
        return self._server.capabilities

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def schedule(self, item: Waiting) -> None:
        self.deadlines.schedule(item)

    def open_dialog(self, dialog: Dialog, usage: Usage) -> None:
        self._dialogs[dialog.key] = usage

    def close_dialog(self, dialog: Dialog) -> None:
        self._dialogs.pop(dialog.key, None)

    def invitation_opened(self, invitation: IncomingInvite) -> None:
        """From now on CANCEL finds it, until its final response."""
        self._invitations[invitation.transaction.key] = invitation

    # -- looking at it -------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether a new call would exceed what was configured."""
        return len(self._dialogs) + len(self._invitations) >= self.configuration.maximum_dialogs

    def leftovers(self) -> list[str]:
        """What is still alive, in words; empty once everything is over. O(n): for tests and diagnosis."""
        left = [repr(usage) for usage in self._dialogs.values()]
        left += [repr(invitation) for invitation in self._invitations.values()]
        left += [repr(way) for ways in (*self._opening.values(), *self._resolving.values()) for way in ways]
        if len(self.transactions):
            left.append(repr(self.transactions))
        left += [repr(item) for item in self.deadlines.waiting() if not isinstance(item, Transaction)]
        return left


def stamped(request: Request, flow: Flow) -> Request:
    """The request with the source address in its top Via (RFC 3261 §18.2.1, RFC 3581 §4)."""
    via = request.via
    host, port = flow.remote
    wants_port = via.wants_port
    if not wants_port and (via.host == host or via.host.strip("[]") == host):
        return request
    parameters = via.parameters.with_("received", host)
    if wants_port:
        parameters = parameters.with_("rport", str(port))
    first = Via(via.transport, via.host, via.port, parameters, via.protocol)
    return request.with_headers(request.headers.with_("Via", first, *request.vias[1:]))
