"""The whole endpoint as a pure state machine (RFC 3261 §8): octets, commands and the time go in; ``outputs``,
``events`` and one ``deadline`` come out. No socket, clock, task or random source inside.

After each input the driver takes every output and every event, performs them, and arms one timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from sipstack.core.commands import Commands
from sipstack.core.configuration import Configuration
from sipstack.core.dns_records import Answer, Query
from sipstack.core.events import AddressChanged, SessionResumed
from sipstack.core.keeping import Keeping
from sipstack.core.outputs import DialogKey, Forget, Load, Loaded, Store, Target, Transport, dialog_key
from sipstack.core.overload import Overload, Verdict
from sipstack.core.passing import Passing
from sipstack.core.replaced import Replacing, replaced_dialog
from sipstack.core.routing import reply_flow, with_source
from sipstack.core.takeover import Takeovers
from sipstack.core.unsealing import Unsealing
from sipstack.dialog.retries import RETRY_AFTER
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError, ParseError, RemoteProtocolError, TransportError
from sipstack.identifiers import Identifiers
from sipstack.message import MalformedMessage, Request, Response, parse
from sipstack.message.headers import HeaderFields
from sipstack.message.session_id import NULL, answering
from sipstack.message.validation import validate
from sipstack.outcome import Absent, Outcome
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.layer import AnyServer
from sipstack.transaction.machine import State
from sipstack.transaction.timers import NEVER
from sipstack.usage.invite.session import Session


class Core(Commands):
    """One endpoint. ``now`` is in seconds of any monotonic clock, the same for all calls."""

    def __init__(self, configuration: Configuration, identifiers: Identifiers) -> None:
        super().__init__(configuration, identifiers)
        self.takeovers: Unsealing | Takeovers | None = None
        if self.sealing is not None:
            self.takeovers = Unsealing(self, self.sealing)
        elif configuration.keeps_sessions:
            self.takeovers = Takeovers(self)
            self.uas.awaits_replaced = self._awaits_replaced
        nodes, heirs = configuration.nodes, self.takeovers is not None
        self.passing = Passing(self, nodes, heirs=heirs) if nodes else None

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
            if not data or data.strip(b"\r\n"):  # nothing but line ends is a keep-alive (RFC 5626 §3.5.1)
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

    def resolved(self, query: Query, answer: Answer, now: float) -> None:
        """The answer to a Resolve."""
        self.router.resolved(query, answer, now)

    def stored(self, asked: Store | Forget, outcome: Outcome, now: float) -> None:
        """The answer to a Store or a Forget."""
        if isinstance(self.keeper, Keeping):
            self.keeper.stored(asked, outcome, now)

    def loaded(self, load: Load, found: Loaded | Absent, now: float) -> None:
        """The answer to a Load."""
        if self.takeovers is not None:
            self.takeovers.loaded(load, found, now)

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        super().flow_failed(flow, error, now)
        if self.passing is not None:
            self.passing.flow_failed(flow, now)

    def flow_opened(self, target: Target, flow: Flow, now: float) -> None:
        """The answer to an Open."""
        self.router.opened(target, flow, now)

    def flow_accepted(self, flow: Flow, now: float) -> None:
        """A peer has opened a connection to us."""
        self.router.accepted(flow)

    def flow_refused(self, target: Target, error: TransportError, now: float) -> None:
        """There is no way to the target, such as no route to its network."""
        self.router.refused(target, error, now)

    def flows_moved(self, moves: Mapping[Flow, Flow], reason: str, now: float) -> None:
        """We are seen at another address: each of these flows, as ``flows`` tells them, has become another.

        Requests and keep-alives take the new one from now on; the event ``AddressChanged`` tells of it.
        """
        self.router.moved(moves)
        self.keep_alives.moved(moves)
        self.flow_owners.moved(moves)
        self.transactions.moved(moves)
        for usages in self._dialogs.values():
            if usages.flow is not None:
                usages.flow = moves.get(usages.flow, usages.flow)
        self.emit(AddressChanged(moves, reason))

    def lagged(self, lag: float, now: float) -> bool:
        """The event loop came back ``lag`` seconds late. Returns whether new requests are put off."""
        overload = self.overload
        if overload is None:
            return False
        overload.measured(lag, now)
        return overload.active

    def flow_alive(self, flow: Flow, now: float) -> None:
        """The peer of ``flow`` has answered a keep-alive."""
        self.router.alive(flow)
        self.keep_alives.ponged(flow, now)

    # -- requests from the network -------------------------------------------------------------------------

    def _receive_request(self, flow: Flow, request: Request, now: float) -> None:
        request = with_source(request, flow)
        method = request.method
        if method == "ACK":
            self._receive_ack(request, flow, now)
            return
        reply = reply_flow(flow, request.via)
        if flow.reliable:
            self.router.calls_itself(flow, request.via.host)
        overload = self.overload
        if overload is not None and overload.active and self._is_put_off(overload, request, reply, now):
            return
        crowded = len(self.transactions.servers) >= self._admission.crowd
        if crowded and not self._admission.admit(request, flow, now):
            self._refuse_for_now(reply, request)
            return
        new = method == "INVITE" and request.to.tag is None
        if new and not self._admission.unacknowledged.enter(request.call_id, flow.remote[0], now):
            self._refuse_for_now(reply, request)
            return
        if self.passing is not None and self.passing.takes(request, reply, now):
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
                if self.configuration.session_ids:
                    request.session_id = answering(self.identifiers.uuid(), request)
                self.uas.receive(request, transaction, now)
            else:
                self._receive_in_dialog(request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:  # in a field that only its user reads: Require
            self.counters.malformed += 1
            tag = self.identifiers.tag()
            self.respond(transaction, request.response(error.status, to_tag=tag), now)
        except Exception as error:
            self._refuse_after(error, request, transaction, now)

    def _refuse_for_now(self, flow: Flow, request: Request, headers: HeaderFields = RETRY_AFTER) -> None:
        """503, statelessly."""
        self.count_overloaded()
        self._reply(flow, request, 503, headers)

    def _is_put_off(self, overload: Overload, request: Request, flow: Flow, now: float) -> bool:
        """Whether a request that belongs to nothing we hold comes at a bad time. A tag may be invented."""
        if self._admission.is_of_live_call(request) or self.transactions.is_known(request):
            return False
        if (request.call_id, request.to.tag) in self._dialog_sets:
            return False
        load = overload.verdict(flow, now)
        if load is Verdict.REFUSE:
            self._refuse_for_now(flow, request, (("Retry-After", overload.retry_after()),))
        elif load is Verdict.IGNORE:
            self.count_overloaded()
        return load is not Verdict.TAKE

    def _receive_ack(self, request: Request, flow: Flow, now: float) -> None:
        if self.transactions.receive_ack(request, now):
            self._unacknowledged.pop(request.call_id, None)
            return
        found = self.dialog_of(request)
        if found is None and self.passing is not None and self.passing.takes(request, flow, now):
            return
        if found is None or (self._peers is not None and not self._admits(found, request, flow, now)):
            self.count_unmatched()
        else:
            self._unacknowledged.pop(request.call_id, None)
            try:
                found.ack_received(request, now)
            except Exception as error:
                self._conclude(found.lost, self.fault(error), now)

    def _receive_in_dialog(self, request: Request, transaction: AnyServer, now: float) -> None:
        found = self.dialog_of(request)
        if found is not None and self._peers is not None:
            found = found if self._admits(found, request, transaction.flow, now) else None
        elif found is None:
            key = request.call_id, request.to.tag
            dialogs = self._dialog_sets.get(key) if self._dialog_sets else None
            found = dialogs.dialog_of(request) if dialogs is not None else None
        if found is None and self.takeovers is not None and self._may_be_elsewhere(request):
            if self.uas.leaving or not self.takeovers.wait(request, transaction, now):
                self.put_off(request, transaction, now)
        else:
            self._deliver(found, request, transaction, now)

    def _may_be_elsewhere(self, request: Request) -> bool:
        """Not a dialog that we have, to whose peer the sender of ``request`` does not belong; nor one that
        has just ended.
        """
        key = dialog_key(request)
        return key not in self._dialogs and self.keeper is not None and not self.keeper.ends(key)

    def _deliver(
        self, found: DialogUsages | None, request: Request, transaction: AnyServer, now: float
    ) -> None:
        refused = None
        if found is not None:
            if found.proof is not None:
                origin = self.origin(request, transaction.flow, now)
                refused = self.uas.unproved(found.proof, request, origin, now)
            if refused is None:
                found.dialog.hear(request)
            request.session_id = found.dialog.session_id
        elif self.configuration.session_ids:
            request.session_id = answering(NULL, request)
        if found is None:  # §12.2.2
            self.count_unmatched()
            self.respond(transaction, request.response(481), now)
        elif refused is not None:
            self.respond(transaction, request.response(refused[0], headers=refused[1]), now)
        else:
            if self.sealing is not None:
                self.sealing.heard(found, request, now)
            found.request_received(request, transaction, now)

    # -- sessions of other processes -----------------------------------------------------------------------

    def _awaits_replaced(self, request: Request, transaction: InviteServerTransaction, now: float) -> bool:
        key, takeovers = replaced_dialog(request), self.takeovers
        if key is None or key in self._dialogs or self.keeper is None or self.keeper.ends(key):
            return False
        if isinstance(takeovers, Takeovers) and takeovers.wait(request, transaction, now, key):
            Replacing(self, request, transaction)
        else:
            self.put_off(request, transaction, now)
        return True

    def take(self, request: Request, transaction: AnyServer, now: float) -> None:
        try:
            if request.to.tag is None:
                if isinstance(transaction, InviteServerTransaction) and transaction.user is not None:
                    transaction.user = None  # which is nobody any more once it is cancelled
                    self.uas.invite(request, transaction, now)
                return
            found = self.dialog_of(request)
            if found is not None and not self._admits(found, request, transaction.flow, now):
                found = None
            self._deliver(found, request, transaction, now)
        except (ParseError, RemoteProtocolError) as error:
            self.counters.malformed += 1
            self.respond(transaction, request.response(error.status), now)
        except Exception as error:
            self._refuse_after(error, request, transaction, now)

    def put_off(self, request: Request, transaction: AnyServer, now: float) -> None:
        self.count_overloaded()
        if transaction.state in (State.TRYING, State.PROCEEDING):  # else it was cancelled while it waited
            tag = request.to.tag or self.identifiers.tag()
            self.respond(transaction, request.response(503, to_tag=tag, headers=RETRY_AFTER), now)

    def restore(self, loaded: Loaded, flow: Flow | None, now: float) -> Session:
        if self.keeper is not None and self.keeper.ends(loaded.record.dialog.key):
            raise LocalProtocolError("the call has just ended")
        session = self.resume(loaded.record, now)
        usages = session.usages
        if flow is not None and (self._peers is None or self._peers.admits(usages, flow, now)):
            usages.flow, usages.source = flow, usages.source or flow.remote[0]
        if self.keeper is not None:
            self.keeper.resumed(usages, loaded.epoch, now)
        session.refreshed_at = now  # until somebody takes it, nobody watches it
        self.expire_unwatched(now)
        self.emit(SessionResumed(session, loaded.record, loaded.epoch))
        return session

    def _admits(self, found: DialogUsages, request: Request, flow: Flow, now: float) -> bool:
        """Whether who sent ``request`` can be the peer."""
        return self._peers is None or self._peers.admits(found, self.origin(request, flow, now), now)

    # -- dialogs of other nodes ----------------------------------------------------------------------------

    def origin(self, request: Request, flow: Flow, now: float) -> Flow:
        """``flow``, or as the node sees it that has passed ``request`` on to us."""
        return flow if self.passing is None else self.passing.origin(request, flow, now)

    def is_here(self, request: Request) -> bool:
        key = dialog_key(request)
        if key in self._dialogs or key[:2] in self._dialog_sets or self.transactions.is_known(request):
            return True
        if request.method == "CANCEL" and self.transactions.invite_to_cancel(request) is not None:
            return True
        return self.keeper is not None and self.keeper.ends(key)

    def serve_here(self, request: Request, flow: Flow, now: float) -> None:
        try:
            self._receive_request(flow, request, now)
        except ParseError as error:
            self._malformed(flow, error)

    def answered_late(self, request: Request, response: Response, now: float) -> None:
        transaction, takeovers = self.transactions.server_of(request), self.takeovers
        if transaction is None or not isinstance(takeovers, Takeovers):
            return
        if takeovers.withdraw(request, transaction):
            self.respond(transaction, response, now)

    def refuse(self, request: Request, flow: Flow, status: int) -> None:
        self._reply(flow, request, status)

    # -- leaving -------------------------------------------------------------------------------------------

    def leave(self) -> None:
        """From now on nothing new is taken, also no session of another process: 503. What is here goes on."""
        self.uas.leaving = True
        if isinstance(self.takeovers, Takeovers):
            self.takeovers.leaving = True

    def has_sessions(self) -> bool:
        """Whether there is a session, or an INVITE on its way to one. O(n)."""
        return any(usages.invite is not None for usages in self._dialogs.values())

    def hand_over(self, now: float) -> None:
        """Give up each session that the store, or its peer, has as it is: who is asked next goes on with it.
        Its peer hears nothing. One in which something is under way is left until that is done.
        """
        for usages in list(self._dialogs.values()):
            session = usages.invite
            if isinstance(session, Session) and session.is_kept_whole:
                session.hand_over(now, "it was handed over")

    def _receive_cancel(self, request: Request, transaction: AnyServer, now: float) -> None:
        invite = self.transactions.invite_to_cancel(request)
        if (
            invite is not None
            and self._peers is not None
            and invite.flow.remote[0] != transaction.flow.remote[0]
        ):
            invite = None  # a CANCEL takes the way of its INVITE (§9.1)
        status = 481 if invite is None else 200
        tag = (invite.tag if invite is not None else "") or self.identifiers.tag()
        if self.configuration.session_ids:
            answer = invite.session_id if invite is not None else ""
            request.session_id = answer or answering(NULL, request)
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
        if self.configuration.session_ids:
            request.session_id = answering(NULL, request)
        self.transmit(flow, bytes(request.response(status, to_tag=self.identifiers.tag(), headers=headers)))

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
        # a response that has more Vias than ours was never meant for us (§8.1.3.3), but by us for another
        vias = response.headers.raw("Via")
        alone = len(vias) == 1 and ("," not in vias[0] or len(response.vias) == 1)
        if alone:
            matched = self.transactions.receive_response(response, now) or self._late(response, now)
        else:
            matched = self.passing is not None and self.passing.returns(response, now)
        if not matched:
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

    def session_of(self, key: DialogKey) -> Session | None:
        """The session of this dialog, if it is here and accepted."""
        usages = self._dialogs.get(key)
        session = usages.invite if usages is not None else None
        return session if isinstance(session, Session) and session.is_established else None

    # -- looking at it -------------------------------------------------------------------------------------

    def flows(self, most: int | None = None) -> set[Flow]:
        """The flows in use: of dialogs, of those who hold one, to targets; ``most`` of each. O(n)."""
        dialogs = (usages.flow for usages in islice(self._dialogs.values(), most) if usages.flow is not None)
        return {
            *islice(self.keep_alives.flows, most),
            *islice(self.router.flows.values(), most),
            *dialogs,
        }

    def leftovers(self) -> list[str]:
        """What is still alive, in words; empty once everything is over. O(n): for tests and diagnosis."""
        left = [repr(usages) for usages in self._dialogs.values()]
        left += [repr(dialogs) for dialogs in self._dialog_sets.values()]
        left += [repr(route) for route in self.router.waiting()]
        left += self.keeper.waiting() if self.keeper is not None else []
        if len(self.transactions):
            left.append(repr(self.transactions))
        left += [repr(item) for item in self.deadlines.waiting()]
        left += [f"{flow} is held" for flow in self.flow_owners.flows()]
        return left
