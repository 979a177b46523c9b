"""Matches messages to transactions (RFC 3261 §17.1.3, §17.2.3), starts and ends them.

The layer owns the tables; the machines own their states. What a machine wants sent goes to ``transmit``; what
it wants told goes to its user, after the tables are right again, so that a user may start a new transaction
from within.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import islice

from sipstack.errors import SipError, TransportError
from sipstack.identifiers import MAGIC_COOKIE
from sipstack.message import Request, Response
from sipstack.transaction.client import ClientTransaction
from sipstack.transaction.deadlines import Deadlines
from sipstack.transaction.effects import Deliver, Effects, Fail, Send
from sipstack.transaction.flow import Flow
from sipstack.transaction.invite_client import InviteClientTransaction
from sipstack.transaction.invite_server import InviteServerTransaction
from sipstack.transaction.machine import NOBODY, ClientUser, State
from sipstack.transaction.server import ServerTransaction
from sipstack.transaction.timers import Timers

AnyClient = InviteClientTransaction | ClientTransaction
AnyServer = InviteServerTransaction | ServerTransaction
COOKIE_LENGTH = len(MAGIC_COOKIE)


def server_key(request: Request, method: str) -> Hashable:
    """What identifies the server transaction of ``request``, taken as ``method``.

    ACK and CANCEL are looked up with "INVITE". A branch with the magic cookie is unique with the sent-by
    (§17.2.3); else, and for the bare cookie (RFC 4475 §3.2.1), RFC 2543's comparison of fields serves.
    """
    via = request.via
    branch = via.branch
    if branch is not None and len(branch) > COOKIE_LENGTH and branch.startswith(MAGIC_COOKIE):
        # The Call-ID changes nothing for a peer that keeps to §8.1.1.7, and saves one that repeats a branch
        return (branch, via.sent_by, method, request.call_id)
    cseq = request.cseq
    return (str(via), request.call_id, request.from_.tag, cseq.number, str(request.uri), method)


def merge_key(request: Request) -> Hashable:
    """Equal for the copies of one request that a fork sent along several ways (§8.2.2.2)."""
    cseq = request.cseq
    return (request.call_id, request.from_.tag, cseq.number, cseq.method)


def _passed_on(error: Exception) -> SipError:
    raise error


class TransactionLayer:
    """All live transactions of one endpoint."""

    __slots__ = ("_by_flow", "_clients", "_fault", "_merged", "_timers", "_transmit", "deadlines", "servers")

    def __init__(
        self,
        timers: Timers,
        transmit: Callable[[Flow, bytes], None],
        fault: Callable[[Exception], SipError] = _passed_on,
    ) -> None:
        """``fault`` reports an exception of a user, or of a machine, and returns what the user is told."""
        self._timers = timers
        self._fault = fault
        self.deadlines: Deadlines[AnyClient | AnyServer] = Deadlines()
        self._transmit = transmit
        self._clients: dict[Hashable, AnyClient] = {}
        self.servers: dict[Hashable, AnyServer] = {}
        """Live server transactions: how many is the measure of overload."""
        self._merged: dict[Hashable, AnyServer] = {}
        self._by_flow: dict[Flow, dict[AnyClient, None]] = {}

    def __len__(self) -> int:
        return len(self._clients) + len(self.servers)

    def moved(self, moves: Mapping[Flow, Flow]) -> None:
        """Flows of ours have become others: requests that are not yet answered are answered from there."""
        for server in self.servers.values():
            server.flow = moves.get(server.flow, server.flow)

    def __repr__(self) -> str:
        return f"<TransactionLayer {[*self._clients.values(), *self.servers.values()]}>"

    # -- the server's side ---------------------------------------------------------------------------------

    def receive_request(self, request: Request, flow: Flow, now: float) -> AnyServer | None:
        """A request other than ACK. None when it is a retransmission, which is answered here."""
        method = request.method
        key = server_key(request, method)
        known = self.servers.get(key)
        if known is not None:
            self._perform_server(known, known.receive(now))
            return None
        new: AnyServer
        if method == "INVITE":
            new = InviteServerTransaction(key, flow, self._timers, request, now)
        else:
            new = ServerTransaction(key, flow, self._timers)
        self.servers[key] = new
        self.deadlines.schedule(new)
        return new

    def is_known(self, request: Request) -> bool:
        """Whether a request other than ACK is a retransmission."""
        return server_key(request, request.method) in self.servers

    def server_of(self, request: Request) -> AnyServer | None:
        """The transaction of a request other than ACK, while there is one."""
        return self.servers.get(server_key(request, request.method))

    def is_merged(self, request: Request, transaction: AnyServer) -> bool:
        """Whether a request outside of a dialog came before by another way and must get 482 (§8.2.2.2)."""
        key = merge_key(request)
        if key in self._merged:
            return True
        self._merged[key] = transaction
        transaction.merge_key = key
        return False

    def receive_ack(self, request: Request, now: float) -> bool:
        """True when the ACK belongs to a refusal and is dealt with; else it is for a dialog (§13.2.2.4)."""
        known = self.servers.get(server_key(request, "INVITE"))
        if not isinstance(known, InviteServerTransaction):
            return False
        for_user = known.acknowledge(now)
        self._update_server(known)
        return not for_user

    def invite_to_cancel(self, cancel: Request) -> InviteServerTransaction | None:
        """The INVITE transaction that a CANCEL is about (§9.2)."""
        known = self.servers.get(server_key(cancel, "INVITE"))
        return known if isinstance(known, InviteServerTransaction) else None

    def respond(self, transaction: AnyServer, response: Response, now: float) -> None:
        """Send the user's response. Raises LocalProtocolError after a final response."""
        effects = transaction.respond(response.status, bytes(response), now)
        self._update_server(transaction)
        self._perform_server(transaction, effects)

    # -- the client's side ---------------------------------------------------------------------------------

    def request(self, request: Request, branch: str, flow: Flow, user: ClientUser, now: float) -> AnyClient:
        """Start a transaction for ``request``, whose top Via carries ``branch``."""
        method = request.method
        key = (branch, method)
        new: AnyClient
        if method == "INVITE":
            new = InviteClientTransaction(key, flow, self._timers, request, user)
        else:
            new = ClientTransaction(key, flow, self._timers, request, user)
        self._clients[key] = new
        self._by_flow.setdefault(flow, {})[new] = None
        self._perform_client(new, new.start(now), now)
        return new

    def give_up(self, transaction: InviteClientTransaction, now: float) -> None:
        """Nobody waits for the outcome of this INVITE any more (§9.1)."""
        transaction.give_up(now)
        self.deadlines.schedule(transaction)

    def receive_response(self, response: Response, now: float) -> bool:
        """False when no transaction of ours asked for it (§17.1.3)."""
        known = self._clients.get((response.via.branch, response.cseq.method))
        if known is None:
            return False
        self._perform_client(known, known.receive(response, now), now)
        return True

    def flow_failed(self, flow: Flow, error: TransportError, now: float) -> None:
        """The network reported that what went out on ``flow`` does not arrive (§17.1.4)."""
        for client in list(self._by_flow.get(flow, ())):
            self._perform_client(client, client.transport_failed(error, now), now)

    # -- time ----------------------------------------------------------------------------------------------

    def timeout(self, now: float, most: int | None = None) -> None:
        """Let every transaction go on whose deadline is reached, or the ``most`` urgent of them."""
        for transaction in islice(self.deadlines.due(now), most):
            try:
                effects = transaction.timeout(now)
            except Exception as error:
                transaction.enter(State.TERMINATED)
                effects = (Fail(self._fault(error)),)
            if isinstance(transaction, (InviteClientTransaction, ClientTransaction)):
                self._perform_client(transaction, effects, now)
            else:
                self._update_server(transaction)
                self._perform_server(transaction, effects)

    # -- tables --------------------------------------------------------------------------------------------

    def _update_server(self, transaction: AnyServer) -> None:
        if transaction.state is State.TERMINATED:
            self.servers.pop(transaction.key, None)
            if transaction.merge_key is not None:
                self._merged.pop(transaction.merge_key, None)
                transaction.merge_key = None
        else:
            self.deadlines.schedule(transaction)

    def _perform_server(self, transaction: AnyServer, effects: Effects) -> None:
        # Fail is dropped: whether a refusal was acknowledged changes nothing for the user
        for effect in effects:
            if type(effect) is Send:
                self._transmit(transaction.flow, effect.data)

    def _perform_client(self, transaction: AnyClient, effects: Effects, now: float) -> None:
        user, state = transaction.user, transaction.state
        if state is State.TERMINATED or state is State.COMPLETED:
            transaction.user = NOBODY  # it refers to the transaction in turn, and need not outlive it
        if state is State.TERMINATED:
            self._forget_client(transaction)
        else:
            self.deadlines.schedule(transaction)
        try:
            for effect in effects:
                if type(effect) is Send:
                    self._transmit(transaction.flow, effect.data)
                elif type(effect) is Deliver:
                    user.response_received(effect.response, now)
                elif type(effect) is Fail:
                    user.request_failed(effect.error, now)
        except Exception as error:
            self._conclude(user, error, now)

    def _conclude(self, user: ClientUser, error: Exception, now: float) -> None:
        """The user could not deal with what it was told: for it, the request has failed."""
        fault = self._fault(error)
        try:
            user.request_failed(fault, now)
        except Exception as again:
            self._fault(again)

    def _forget_client(self, transaction: AnyClient) -> None:
        if self._clients.pop(transaction.key, None) is None:
            return
        of_flow = self._by_flow[transaction.flow]
        del of_flow[transaction]
        if not of_flow:
            del self._by_flow[transaction.flow]
