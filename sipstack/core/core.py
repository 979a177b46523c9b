"""The whole endpoint as a pure state machine (RFC 3261 §8): octets, commands and the time go in; ``outputs``,
``events`` and one ``deadline`` come out. No socket, clock, task or random source inside.

After each input the driver takes every output and every event, performs them, and arms one timer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from itertools import islice
from typing import ParamSpec

import attrs

from sipstack.core.admission import Admission
from sipstack.core.authenticator import Authenticator
from sipstack.core.client_request import AckRequest, ClientRequest
from sipstack.core.configuration import Configuration
from sipstack.core.events import Event
from sipstack.core.expiry import Expiry
from sipstack.core.outputs import Output, Question, Report, Target, Transmit, Transport
from sipstack.core.registry import Registry
from sipstack.core.router import Router
from sipstack.core.routing import reply_flow, with_source
from sipstack.core.uas import RETRY_AFTER, UserAgentServer
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.services import AckUser, DialogSet, Refusal, RequestUser, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import InternalError, LocalProtocolError, ParseError, RemoteProtocolError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, MalformedMessage, Request, Response, SipUri, parse
from sipstack.message.headers import HeaderFields
from sipstack.message.validation import validate
from sipstack.transaction.deadlines import Deadlines, Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.transaction.machine import ClientUser, State
from sipstack.transaction.timers import NEVER
from sipstack.usage.content import SDP
from sipstack.usage.invite.extended_session import ExtendedSession
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.outgoing import OutgoingInviteUsage
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session
from sipstack.usage.registration import RegistrationUsage
from sipstack.usage.standalone import StandaloneRequest

P = ParamSpec("P")


@attrs.define
class Counters:
    """What was dropped or refused without reaching anyone."""

    malformed: int = 0  # octets that are not SIP, or break its rules
    unmatched: int = 0  # responses, ACKs and requests inside a dialog that nobody waits for
    overloaded: int = 0  # requests refused with 503
    faults: int = 0  # exceptions that should not have been


class Core:
    """One endpoint. ``now`` is in seconds of any monotonic clock, the same for all calls."""

    def __init__(self, configuration: Configuration, identifiers: Identifiers) -> None:
        self.configuration = configuration
        self.identifiers = identifiers
        self.timers = configuration.timers
        self.outputs: deque[Output] = deque()
        self.events: deque[Event] = deque()
        self.counters = Counters()
        self.deadlines: Deadlines[Timed] = Deadlines()
        transactions = TransactionLayer(configuration.timers, self.transmit, self.fault)
        self.transactions = transactions
        self.router = Router(self.outputs)
        self._authenticator = Authenticator(configuration.identity.accounts, identifiers)
        self._authenticators: dict[Identity, Authenticator] = {}
        dialogs = self._dialogs = dict[Hashable, DialogUsages]()
        self._admission = Admission(configuration, transactions, dialogs)
        self._unacknowledged = self._admission.unacknowledged.invites
        self._expiry = Expiry(configuration.maximum_age, dialogs, self.deadlines)
        self._dialog_sets: dict[Hashable, DialogSet] = {}
        self._own_fields = Headers(self._user_agent())
        self._invite_fields = self._own_fields
        self._dialog_fields: dict[tuple[str, bool], Headers] = {}
        self.registry = Registry(self._prepare_fields)
        # Services for usages that somebody else does: bound, they cost a call of a method less
        self.respond = self.transactions.respond
        self.schedule = self.deadlines.schedule
        self.emit: Callable[[Event], None] = self.events.append
        self.owner_key: Callable[[Request], Hashable | None] = self.registry.owner_key
        self.refusal: Callable[[Request], Refusal | None] = self.registry.refusal_in_dialog
        self.uas = UserAgentServer(self)

    # -- inputs --------------------------------------------------------------------------------------------

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """A datagram, or a whole message of a stream, arrived on ``flow``. Never raises."""
        try:
            message = parse(data)
            validate(message)
            if isinstance(message, Request):
                self._receive_request(flow, message, now)
            else:
                self._receive_response(message, now)
        except ParseError as error:
            self._malformed(flow, error)
        except Exception as error:
            self.fault(error)

    def timeout(self, now: float, most: int | None = None) -> None:
        """The deadline is reached: run everything that is due, or the ``most`` urgent of the transactions and
        of the usages; then ``deadline`` is still in the past.
        """
        self.transactions.timeout(now, most)
        for item in islice(self.deadlines.due(now), most):
            try:
                item.timeout(now)
            except Exception as error:
                self._conclude(item.faulted, self.fault(error), now)

    @property
    def deadline(self) -> float:
        """When ``timeout`` wants to be called; infinite when nothing waits."""
        transactions, usages = self.transactions.deadlines.heap, self.deadlines.heap
        first = transactions[0][0] if transactions else NEVER
        return usages[0][0] if usages and usages[0][0] < first else first

    def speak(self, transport: Transport) -> None:
        """An endpoint of ours speaks ``transport``: from now on requests may take it."""
        self.router.speak(transport)

    def resolved(self, question: Question, targets: Sequence[Target], now: float) -> None:
        """The answer to a Resolve."""
        self.router.resolved(question, targets, now)

    def flow_opened(self, target: Target, flow: Flow, now: float) -> None:
        """The answer to an Open."""
        self.router.opened(target, flow, now)

    def flow_accepted(self, flow: Flow, now: float) -> None:
        """A peer has opened a connection to us."""
        self.router.accepted(flow)

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None:
        """There is no way to the target, such as no route to its network."""
        self.router.refused(target, error, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The network reported that the peer of ``flow`` is not there, or the connection is closed."""
        self.router.forget(flow)
        self.transactions.flow_failed(flow, error, now)

    # -- commands ------------------------------------------------------------------------------------------

    def outgoing(
        self,
        target: str,
        headers: HeaderFields = (),
        *,
        identity: Identity | None = None,
        from_: str = "",
        max_forwards: int = 70,
    ) -> OutgoingInviteUsage:
        """A call to ``target`` (a URI); ``start`` routes it, then it asks for the offer (event ``Routed``).

        ``from_`` is a name-addr in place of the identity's own.
        """
        introduction = self._invite_fields
        if self.registry.requirements:
            headers = (*self.registry.requirements, *headers)
        if headers:
            introduction = introduction.joined(Headers(headers))
        draft = self._draft("INVITE", target, introduction, b"", "", identity, from_, max_forwards)
        outgoing = OutgoingInviteUsage(self, draft)
        if self.registry.extensions:
            outgoing.extend(self.registry.begin_call(is_caller=True))
        return outgoing

    def standalone(
        self,
        method: str,
        target: str,
        headers: HeaderFields = (),
        body: bytes = b"",
        *,
        identity: Identity | None = None,
        from_: str = "",
        max_forwards: int = 70,
    ) -> StandaloneRequest:
        """A request outside of any dialog, such as OPTIONS or MESSAGE; ``start`` sends it."""
        fields = self._own_fields.joined(Headers(headers))
        draft = self._draft(method, target, fields, body, None, identity, from_, max_forwards)
        return StandaloneRequest(self, draft)

    def register(
        self,
        registrar: str,
        expires: int,
        headers: HeaderFields = (),
        *,
        identity: Identity | None = None,
    ) -> RegistrationUsage:
        """A registration of an address-of-record of ours; ``refresh`` sends it."""
        fields = (*self._user_agent(), *headers)
        return RegistrationUsage(self, registrar, identity or self.configuration.identity, expires, fields)

    def resume(self, record: SessionRecord, now: float, identity: Identity | None = None) -> Session:
        """Go on with an established session that another core has recorded. Raises LocalProtocolError when
        its dialog is here already.
        """
        if record.dialog.key in self._dialogs:
            raise LocalProtocolError("the dialog is here already")
        identity = identity or self.configuration.identity
        identity = identity if record.is_caller else identity.for_callers
        usages = DialogUsages(self, attrs.evolve(record.dialog), identity)
        session = Session.resumed(self, usages, record)
        if self.registry.extensions:
            parts = self.registry.begin_call(is_caller=record.is_caller)
            session.extensions = Extensions(self, parts, ExtendedSession(session))
            session.extensions.restore(record.extensions, now)
        return session

    def _draft(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes,
        contact: str | None,
        identity: Identity | None,
        from_: str,
        max_forwards: int,
    ) -> Draft:
        identity, identifiers = identity or self.configuration.identity, self.identifiers
        return Draft(
            method,
            target,
            f"{from_ or identity.aor};tag={identifiers.tag()}",
            f"<{target}>",
            identifiers.call_id(),
            1,
            identity.routes,
            headers,
            body,
            contact,
            False,
            identity,
            str(max_forwards),
        )

    def _user_agent(self) -> HeaderFields:
        agent = self.configuration.user_agent
        return (("User-Agent", agent),) if agent else ()

    # -- requests from the network -------------------------------------------------------------------------

    def _receive_request(self, flow: Flow, request: Request, now: float) -> None:
        request = with_source(request, flow)
        method = request.method
        if method == "ACK":
            self._receive_ack(request, now)
            return
        reply = reply_flow(flow, request.via)
        crowded = len(self.transactions.servers) >= self._admission.crowd
        if crowded and not self._admission.admit(request, flow, now):
            self._refuse_for_now(reply, request)
            return
        new = method == "INVITE" and request.to.tag is None
        if new and not self._admission.unacknowledged.enter(request.call_id, flow.remote[0], now):
            self._refuse_for_now(reply, request)
            return
        transaction = self.transactions.receive_request(request, reply, now)
        if transaction is None:
            return
        if crowded:
            self._admission.shorten(request, transaction, self.registry.is_repeatable)
        try:
            if method == "CANCEL":
                self._receive_cancel(request, transaction, now)
            elif request.to.tag is None:
                self.uas.receive(request, transaction, now)
            else:
                self._receive_in_dialog(request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:  # in a field that only its user reads: Require
            self.counters.malformed += 1
            tag = self.identifiers.tag()
            self.respond(transaction, request.response(error.status, to_tag=tag), now)
        except Exception as error:
            self._refuse_after(error, request, transaction, now)

    def _refuse_for_now(self, flow: Flow, request: Request) -> None:
        """503, statelessly."""
        self.count_overloaded()
        self._reply(flow, request, 503, RETRY_AFTER)

    def _receive_ack(self, request: Request, now: float) -> None:
        if self.transactions.receive_ack(request, now):
            self._unacknowledged.pop(request.call_id, None)
            return
        found = self.dialog_of(request)
        if found is None:
            self.count_unmatched()
        else:
            self._unacknowledged.pop(request.call_id, None)
            try:
                found.ack_received(request, now)
            except Exception as error:
                self._conclude(found.lost, self.fault(error), now)

    def _receive_in_dialog(self, request: Request, transaction: AnyServer, now: float) -> None:
        found = self.dialog_of(request)
        if found is None:
            key = request.call_id, request.to.tag
            dialogs = self._dialog_sets.get(key) if self._dialog_sets else None
            found = dialogs.dialog_of(request) if dialogs is not None else None
        if found is None:  # §12.2.2
            self.count_unmatched()
            self.respond(transaction, request.response(481), now)
        else:
            found.request_received(request, transaction, now)

    def _receive_cancel(self, request: Request, transaction: AnyServer, now: float) -> None:
        invite = self.transactions.invite_to_cancel(request)
        status = 481 if invite is None else 200
        tag = (invite.tag if invite is not None else "") or self.identifiers.tag()
        self.respond(transaction, request.response(status, to_tag=tag), now)
        if invite is not None and invite.user is not None:
            invite.user.cancelled(", ".join(request.headers.raw("Reason")), now)

    def _malformed(self, flow: Flow, error: ParseError) -> None:
        """Answer what can be answered (RFC 4475 §3.1.2), statelessly; drop the rest."""
        self.counters.malformed += 1
        request = error.request if isinstance(error, MalformedMessage) else None
        if request is None or request.method == "ACK":
            return
        try:
            self._reply(reply_flow(flow, request.via), with_source(request, flow), error.status)
        except ParseError:
            return

    def _reply(self, flow: Flow, request: Request, status: int, headers: HeaderFields = ()) -> None:
        self.transmit(flow, bytes(request.response(status, to_tag=self.identifiers.tag(), headers=headers)))

    # -- faults of ours ------------------------------------------------------------------------------------

    def fault(self, error: Exception) -> InternalError:
        """An exception that should not have been: it is reported, and what it happened in is concluded with
        the error that this returns. So one odd message costs one request or call, and never a hanging one.
        """
        self.counters.faults += 1
        self.outputs.append(Report(error))
        fault = InternalError(f"{type(error).__name__}: {error}")
        fault.__cause__ = error
        return fault

    def _conclude(self, end: Callable[P, None], *arguments: P.args, **keywords: P.kwargs) -> None:
        """Do what is due after a fault; it may meet the same one."""
        try:
            end(*arguments, **keywords)
        except Exception as again:
            self.fault(again)

    def _refuse_after(self, error: Exception, request: Request, transaction: AnyServer, now: float) -> None:
        """500 to a request that we fail to deal with, unless it is answered; its call is over."""
        tag = request.to.tag or (transaction.tag if isinstance(transaction, InviteServerTransaction) else "")
        usages = self._dialogs.get((request.call_id, tag, request.from_.tag or ""))
        fault = self.fault(error)
        if usages is not None:
            self._conclude(usages.lost, fault, now)
        if transaction.state in (State.TRYING, State.PROCEEDING):
            response = request.response(500, to_tag=tag or self.identifiers.tag())
            self._conclude(self.respond, transaction, response, now)

    # -- responses from the network ------------------------------------------------------------------------

    def _receive_response(self, response: Response, now: float) -> None:
        # a response that has more Vias than ours was never meant for us (§8.1.3.3)
        vias = response.headers.raw("Via")
        alone = len(vias) == 1 and ("," not in vias[0] or len(response.vias) == 1)
        if not alone or not (self.transactions.receive_response(response, now) or self._late(response, now)):
            self.counters.unmatched += 1

    def _late(self, response: Response, now: float) -> bool:
        """A 2xx to INVITE without a transaction: whether it is of a session of ours."""
        if response.cseq.method != "INVITE" or not 200 <= response.status < 300:
            return False
        key = response.call_id, response.from_.tag or "", response.to.tag or ""
        usages = self._dialogs.get(key)
        if usages is None or not isinstance(usages.invite, Session):
            return False
        usages.invite.accepted_late(response, now)
        return True

    # -- services for usages -------------------------------------------------------------------------------

    def send(
        self, draft: Draft, user: ClientUser, now: float, usages: DialogUsages | None = None
    ) -> SentRequest:
        request = ClientRequest(self, draft, usages, user, self._authenticator_of(draft.identity))
        request.start(now)
        return request

    def route(self, draft: Draft, user: RequestUser, now: float) -> SentRequest:
        request = ClientRequest(self, draft, None, user, self._authenticator_of(draft.identity), asks=user)
        request.start(now)
        return request

    def send_ack(self, draft: Draft, user: AckUser, now: float, usages: DialogUsages) -> None:
        AckRequest(self, draft, usages, user).start(now)

    def serve(self, request: Request, transaction: AnyServer, now: float) -> None:
        self.uas.serve(request, transaction, now)

    def dialog_of(self, request: Request) -> DialogUsages | None:
        return self._dialogs.get((request.call_id, request.to.tag, request.from_.tag or ""))

    def transmit(self, flow: Flow, data: bytes) -> None:
        self.outputs.append(Transmit(flow, data))

    def dialog_fields(self, flow: Flow, identity: Identity, *, session_description: bool) -> Headers:
        contact = identity.contact(flow)
        headers = self._dialog_fields.get((contact, session_description))
        if headers is None:
            content: HeaderFields = (("Content-Type", SDP),) if session_description else ()
            headers = Headers((("Contact", f"<{contact}>"), *self.registry.fields, *content))
            self._dialog_fields[contact, session_description] = headers
        return headers

    def announced(self) -> HeaderFields:
        return self.registry.fields

    def open_dialog(self, usages: DialogUsages) -> None:
        self._dialogs[usages.dialog.key] = usages

    def close_dialog(self, usages: DialogUsages) -> None:
        self._dialogs.pop(usages.dialog.key, None)

    def open_dialog_set(self, call_id: str, local_tag: str, dialogs: DialogSet) -> None:
        self._dialog_sets[call_id, local_tag] = dialogs

    def close_dialog_set(self, call_id: str, local_tag: str) -> None:
        self._dialog_sets.pop((call_id, local_tag), None)

    def identity_of(self, request: Request) -> Identity:
        configuration = self.configuration
        if configuration.identities and isinstance(request.uri, SipUri):
            for identity in configuration.identities:
                if identity.user and identity.user == request.uri.user:
                    return identity.for_callers
        return configuration.identity.for_callers

    def count_malformed(self) -> None:
        self.counters.malformed += 1

    def count_overloaded(self) -> None:
        self.counters.overloaded += 1

    def count_unmatched(self) -> None:
        self.counters.unmatched += 1

    def _authenticator_of(self, identity: Identity) -> Authenticator:
        if identity is self.configuration.identity:
            return self._authenticator
        found = self._authenticators.get(identity)
        if found is None:
            found = self._authenticators[identity] = Authenticator(identity.accounts, self.identifiers)
        return found

    def _prepare_fields(self) -> None:
        """Something was registered or withdrawn: what we announce is written anew."""
        self._invite_fields = self._own_fields.joined(Headers(self.registry.fields))
        self._dialog_fields.clear()

    def admit_dialog(self, flow: Flow, now: float) -> bool:
        return self._admission.admit_dialog(flow.remote[0], now)

    def expire_unwatched(self, now: float) -> None:
        """A session without a user was accepted: end it when it gets too old."""
        self._expiry.begin(now)

    # -- looking at it -------------------------------------------------------------------------------------

    def leftovers(self) -> list[str]:
        """What is still alive, in words; empty once everything is over. O(n): for tests and diagnosis."""
        left = [repr(usages) for usages in self._dialogs.values()]
        left += [repr(dialogs) for dialogs in self._dialog_sets.values()]
        left += [repr(route) for route in self.router.waiting()]
        if len(self.transactions):
            left.append(repr(self.transactions))
        left += [repr(item) for item in self.deadlines.waiting()]
        return left
