"""The core as its usages see it: the tables of an endpoint, and what is done for usages (RFC 3261 §8, §12).

The tables are filled from two sides: by inputs (`core.py`) and by commands (`commands.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, ParamSpec

import attrs

from sipstack.core.accounts import account_of
from sipstack.core.ack_again import AckAgain
from sipstack.core.admission import Admission
from sipstack.core.authenticator import Authenticator
from sipstack.core.client_request import ClientRequest
from sipstack.core.configuration import Configuration
from sipstack.core.events import Event
from sipstack.core.expiry import Expiry
from sipstack.core.flow_owners import FlowOwners
from sipstack.core.keep_alive import KeepAlives
from sipstack.core.keeping import Keeping
from sipstack.core.outputs import Output, Report, Transmit, Undelivered
from sipstack.core.overload import Overload
from sipstack.core.peers import PeerCheck, Peers
from sipstack.core.registered_identities import RegisteredIdentities
from sipstack.core.registry import Registry
from sipstack.core.response_route import ResponseRoute
from sipstack.core.routed_request import AckRequest
from sipstack.core.router import Router
from sipstack.core.sealing import Sealing
from sipstack.core.uas import UserAgentServer
from sipstack.dialog.bound import Bound
from sipstack.dialog.dialog import Dialog
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.retries import RETRY_AFTER
from sipstack.dialog.services import AckUser, DialogSet, FlowOwner, Refusal, RequestUser, SentRequest
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import InternalError, ParseError, RemoteProtocolError, SipError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import Headers, Request, Response, SipUri, parse
from sipstack.message.headers import HeaderFields
from sipstack.transaction.deadlines import Deadlines, Timed
from sipstack.transaction.flow import Flow
from sipstack.transaction.layer import AnyServer, TransactionLayer
from sipstack.transaction.machine import ClientUser
from sipstack.usage.content import SDP

P = ParamSpec("P")


@attrs.define
class Counters:
    """What was dropped or refused without reaching anyone."""

    malformed: int = 0  # octets that are not SIP, or break its rules
    unmatched: int = 0  # responses, ACKs and requests inside a dialog that nobody waits for
    overloaded: int = 0  # requests refused with 503
    faults: int = 0  # exceptions that should not have been


class Services:
    """The tables, and the services for usages: see ``dialog.services.CoreServices``."""

    def __init__(self, configuration: Configuration, identifiers: Identifiers) -> None:
        self.configuration = configuration
        self.identifiers = identifiers
        self.timers = configuration.timers
        self.outputs: deque[Output] = deque()
        self.events: deque[Event] = deque()
        self.counters = Counters()
        self.deadlines: Deadlines[Timed] = Deadlines()
        transactions = TransactionLayer(configuration.timers, self._transmit_of_transaction, self.fault)
        self.transactions = transactions
        self.router = Router(self.outputs, self.deadlines.schedule, identifiers)
        self.credentials_user: Any = None
        own = configuration.identity
        self._authenticator = Authenticator(own.accounts, identifiers, own.asker)
        self._authenticators = {configuration.identity: self._authenticator}
        self.flow_owners = FlowOwners(self.fault)
        self._registered = RegisteredIdentities()
        dialogs = self._dialogs = dict[Hashable, DialogUsages]()
        self._admission = Admission(configuration, transactions, dialogs)
        self._unacknowledged = self._admission.unacknowledged.invites
        rule, lag = Peers(configuration.peers), configuration.maximum_lag
        self._peers = None if rule is Peers.ANYONE else PeerCheck(rule, self.router)
        self.watches_peers = self._peers is not None
        self.overload = None if lag is None else Overload(lag, identifiers)
        self._expiry = Expiry(configuration.maximum_age, dialogs, self.deadlines)
        self._dialog_sets: dict[Hashable, DialogSet] = {}
        self.keep_alives = KeepAlives(
            configuration.keep_alive, self.outputs.append, self.deadlines, identifiers, self._silent
        )
        self._own_fields = Headers(self._user_agent())
        self._invite_fields = self._own_fields
        self._dialog_fields: dict[tuple[str, bool], Headers] = {}
        self._sealed_fields: tuple[Headers, Headers] = Headers(), Headers()
        self.registry = Registry(self._prepare_fields)
        # Services for usages that somebody else does: bound, they cost a call of a method less
        self.respond = self.transactions.respond
        self.schedule = self.deadlines.schedule
        self.emit: Callable[[Any], None] = self.events.append
        self.owner_key: Callable[[Request], Hashable | None] = self.registry.owner_key
        self.refusal: Callable[[Request], Refusal | None] = self.registry.refusal_in_dialog
        seal = configuration.seal
        self.sealing = None if seal is None else Sealing(self, seal)
        self.keeper: Sealing | Keeping | None = self.sealing
        if seal is None and configuration.keeps_sessions:
            self.keeper = Keeping(self)
        self.uas = UserAgentServer(self)

    def send(
        self, draft: Draft, user: ClientUser, now: float, usages: DialogUsages | None = None
    ) -> SentRequest:
        request = ClientRequest(self, draft, usages, user, self._authenticator_of(draft.identity))
        keeper = self.keeper
        if keeper is None or usages is None or not keeper.delays(usages, request.kept):
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

    def find_dialog(self, call_id: str, local_tag: str, remote_tag: str) -> DialogUsages | None:
        """The dialog with this ID (RFC 3261 §12)."""
        return self._dialogs.get((call_id, local_tag, remote_tag))

    def output(self, output: Output) -> None:
        self.outputs.append(output)

    def transmit(self, flow: Flow, data: bytes) -> None:
        if flow.reliable and not self.router.is_open(flow):
            self._transmit_elsewhere(flow, data)
        else:
            self.outputs.append(Transmit(flow, data))

    def _transmit_of_transaction(self, flow: Flow, data: bytes) -> None:
        """A request and the ACK of its refusal keep to their connection (§17.1.1.3), a response does not."""
        if flow.reliable and data.startswith(b"SIP/2.0 "):
            self.transmit(flow, data)
        else:
            self.outputs.append(Transmit(flow, data))

    def _transmit_elsewhere(self, flow: Flow, data: bytes) -> None:
        """The connection is gone: a response, or the ACK of a 2xx, finds another; a keep-alive needs none."""
        if data.isspace():
            return
        message = parse(data)
        if isinstance(message, Response):
            self.deadlines.schedule(ResponseRoute(self, flow, message))
        else:
            self.deadlines.schedule(AckAgain(self, message))

    def response_lost(self, response: Response, error: SipError, now: float) -> None:
        """What cannot be delivered is told; a 2xx to INVITE ends its call as well."""
        self.outputs.append(Undelivered(f"the {response.status} to {response.cseq.method}", error))
        usages = self._dialogs.get((response.call_id, response.to.tag or "", response.from_.tag or ""))
        if usages is not None and response.status < 300 and response.cseq.method == "INVITE":
            usages.lost(TransportError(f"no way back to the peer: {error}"), now)

    def dialog_fields(
        self, flow: Flow, usages: DialogUsages, *, session_description: bool, now: float | None = None
    ) -> Headers:
        if flow.dialled and usages.flow == flow:  # which knows where else we are reached
            flow = usages.flow
        contact = usages.identity.contact(flow, secure=usages.dialog.secure)
        if self.sealing is not None and now is not None:
            contact = self.sealing.contact_of_response(usages, contact, now)
            fields = self._sealed_fields[session_description]
            return Headers.of_index({"Contact": f"<{contact}>"}).joined(fields)
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

    def hold_flow(self, flow: Flow, owner: FlowOwner, interval: float | None, now: float) -> None:
        self.flow_owners.hold(flow, owner)
        self.keep_alives.hold(flow, owner, interval, now)

    def release_flow(self, flow: Flow, owner: FlowOwner) -> None:
        self.flow_owners.release(flow, owner)
        self.keep_alives.release(flow, owner)

    def bind(self, identity: Identity, owner: object, bound: Bound) -> None:
        self._registered.bind(identity, owner, bound)

    def demote(self, identity: Identity, owner: object) -> None:
        self._registered.demote(identity, owner)

    def unbind(self, identity: Identity, owner: object) -> None:
        self._registered.unbind(identity, owner)

    def identity_of(self, request: Request) -> Identity:
        configuration = self.configuration
        found = configuration.identity
        if configuration.identities and isinstance(request.uri, SipUri):
            for identity in configuration.identities:
                if identity.user and identity.user == request.uri.user:
                    found = identity
                    break
        registered = self._registered.identities
        return (registered.get(found, found) if registered else found).for_callers

    def account_of(self, identity: Identity) -> str:
        return account_of(identity, self.configuration)

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
            found = Authenticator(identity.accounts, self.identifiers, identity.asker)
            self._authenticators[identity] = found
        return found

    def _prepare_fields(self) -> None:
        """Something was registered or withdrawn: what we announce is written anew."""
        self._invite_fields = self._own_fields.joined(Headers(self.registry.fields))
        self._dialog_fields.clear()
        fields, content = self.registry.fields, ("Content-Type", SDP)
        self._sealed_fields = Headers(fields), Headers((*fields, content))

    def host_of(self, request: Request, flow: Flow, now: float) -> DialogUsages | Refusal:
        host = self.dialog_of(request)
        if host is None:
            begun = self.begin_dialog(request, flow, now)
            if isinstance(begun, DialogUsages):
                begun.dialog.early = False
            return begun
        if host.is_full:
            self.counters.overloaded += 1
            return 503, RETRY_AFTER
        return host

    def begin_dialog(self, request: Request, flow: Flow, now: float) -> DialogUsages | Refusal:
        source = flow.remote[0]
        if not self._admission.admit_dialog(source, now):
            self.counters.overloaded += 1
            return 503, RETRY_AFTER
        try:
            dialog = Dialog.as_server(request, self.identifiers.tag(), secure=flow.secure)
        except (ParseError, RemoteProtocolError) as error:
            self.counters.malformed += 1
            return error.status, ()
        usages = DialogUsages(self, dialog, self.identity_of(request))
        usages.flow, usages.source = flow, source
        if flow.reliable and (dialog.route_set or len(request.vias) == 1):
            # requests of ours take the connection that this one came on, while it lives; unless that is the
            # one of a proxy that does not stay between us
            usages.hop = dialog.next_hop
        return usages

    def expire_unwatched(self, now: float) -> None:
        """A session without a user was accepted: end it when it gets too old."""
        self._expiry.begin(now)

    def _user_agent(self) -> HeaderFields:
        agent = self.configuration.user_agent
        return (("User-Agent", agent),) if agent else ()

    def _silent(self, flow: Flow, error: TransportError, now: float) -> None:
        """The peer at the other end of a connection does not answer: close it, and whoever needs it hears."""
        self.router.close(flow)
        self.flow_failed(flow, error, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The network reported that the peer of ``flow`` is not there, or the connection is closed."""
        self.router.forget(flow)
        self.keep_alives.forget(flow)
        self.transactions.flow_failed(flow, error, now)
        self.flow_owners.failed(flow, error, now)

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
