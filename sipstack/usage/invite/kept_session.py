"""What a session has to do with its keeper, where sessions are kept beyond this process."""

from __future__ import annotations

from enum import Enum

import attrs

from sipstack.dialog.keeper import Then, nothing
from sipstack.dialog.proof import NAME as PROOF
from sipstack.dialog.services import CoreServices
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError
from sipstack.message import Request, Response
from sipstack.outcome import Outcome
from sipstack.sdp.exchange import Exchange
from sipstack.sdp.recordable import recordable
from sipstack.transaction.layer import AnyServer
from sipstack.usage.invite.extensions import Extensions
from sipstack.usage.invite.record import SessionRecord

ACCOUNT = "account"
"""Under which the record says whose call it is, where that is not our first account."""
PEER = "peer"
"""Under which the record says from where the peer may send requests."""


class KeptSession:
    """Base of ``Session``: its last stable state as values, and when these are written."""

    __slots__ = ()

    application: dict[str, object] | None
    core: CoreServices
    exchange: Exchange[bytes]
    extensions: Extensions | None
    is_caller: bool
    later: SessionRecord | None
    state: Enum
    usages: DialogUsages

    @property
    def is_established(self) -> bool:
        """Whether it is accepted, and neither side has said BYE."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        """Whether an offer or INVITE of either side is under way, so that ours has to wait."""
        raise NotImplementedError

    @property
    def is_reoffering(self) -> bool:
        """Whether an offer of ours is under way, or waits for its turn."""
        raise NotImplementedError

    def _end(self, by: str, reason: str, now: float) -> None:
        raise NotImplementedError

    def record(self, now: float) -> SessionRecord:
        """The session as values at ``now``. Raises LocalProtocolError unless it is established."""
        if not self.is_established:
            raise LocalProtocolError(f"a session that is {self.state.name} cannot be recorded")
        return self.snapshot(now)

    def snapshot(self, now: float) -> SessionRecord:
        """The last stable state as values, without what is under way; also of one that is being accepted."""
        exchange, later = self.exchange, self.later
        application = dict(self.application or {})
        if account := self.core.account_of(self.usages.identity):
            application[ACCOUNT] = account
        extended = self.extensions.record(now) if self.extensions is not None else {}
        local, remote = exchange.local, exchange.remote
        if self.usages.proof is not None:
            extended[PROOF] = self.usages.proof.record(now)
        if self.core.watches_peers:
            extended[PEER] = {"host": self.usages.host}
        return SessionRecord(
            attrs.evolve(self.usages.dialog),
            self.is_caller,
            None if local is None else recordable(local),
            None if remote is None else recordable(remote),
            extended if later is None else {**later.extensions, **extended},
            application,
            {} if later is None else later.later,
        )

    def settle(self, then: Then, now: float, *, accepting: bool = False) -> None:
        """There is a new stable state. ``then`` makes the peer rely on it: once it is kept, where it is.
        ``accepting``: with what the peer then hears the session is established; before that none is kept.
        """
        keeper = self.core.keeper
        if keeper is None or not (accepting or self.is_established):
            then(Outcome.DONE, now)
        else:
            keeper.settle(self.usages, then, now)

    def keep(self, now: float) -> None:
        """What is kept with it has changed."""
        if self.is_established and self.core.keeper is not None:
            self.core.keeper.settle(self.usages, nothing, now)

    @property
    def is_kept_whole(self) -> bool:
        """Whether nothing is under way in it, and it is kept as it is: it can go on anywhere."""
        keeper = self.core.keeper
        at_rest = self.is_established and not self.is_busy and not self.is_reoffering
        return keeper is not None and at_rest and keeper.is_settled(self.usages)

    def hand_over(self, now: float, reason: str) -> None:
        """It ends here without a word to the peer, and what is kept of it stays: for whoever is next."""
        if self.core.keeper is not None:
            self.core.keeper.release(self.usages)
        self._end("elsewhere", reason, now)

    def refreshed(
        self, request: Request, transaction: AnyServer, response: Response, outcome: Outcome, now: float
    ) -> None:
        """The answer to a refresh of the peer; one that could not be kept counts all the same."""
        taken = outcome is Outcome.CONFLICT
        self.core.respond(transaction, request.response(500) if taken else response, now)

    def forget(self, now: float, *, by_peer: bool = False) -> None:
        """It is over, or will not be a call: nobody may go on with what was kept of it."""
        keeper = self.core.keeper
        if keeper is not None and keeper.holds(self.usages):
            keeper.forget(self.usages, nothing, 0.0, now, by_peer=by_peer)
