"""Sessions that are kept by their peers: each of our target refreshes carries the state, sealed, as the user
part of its Contact.

There is nothing to wait for. What the peer has not been told yet, such as its own answer to our offer, is
told by an UPDATE of its own (``renewal.py``).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from sipstack.core.configuration import Configuration
from sipstack.core.lasting import BEGAN
from sipstack.core.numbers import ceiling, next_block
from sipstack.core.outputs import DialogKey, Output, Warn
from sipstack.core.renewal import Renewal
from sipstack.core.seal import Seal
from sipstack.core.sealed_contact import SealedContacts
from sipstack.core.told import Sent, Told, digest
from sipstack.core.tombstones import Tombstones
from sipstack.dialog.draft import Draft
from sipstack.dialog.keeper import Then
from sipstack.dialog.usages import DialogUsages
from sipstack.message import Request, SipUri
from sipstack.outcome import Outcome
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.timers import Timers
from sipstack.usage.invite.session import Session

WORTH_A_MARGIN = 500
"""Numbers that are left of ours when we go on with others: like ``dialog.usages.CSEQ_MARGIN``."""


class SealingCore(Protocol):
    """The parts of the core that sealing needs."""

    configuration: Configuration
    timers: Timers

    def output(self, output: Output) -> None: ...

    def schedule(self, item: Timed) -> None: ...


class Sealing:
    """The keeper of one core's sessions where the peers keep them. It is told of each new stable state, and
    does not wait.
    """

    __slots__ = (
        "_contacts",
        "_sent",
        "output",
        "over",
        "schedule",
        "seal",
    )

    def __init__(self, core: SealingCore, seal: Seal) -> None:
        self.output = core.output
        self.schedule = core.schedule
        self.seal = seal
        self._contacts = SealedContacts(seal, core.configuration, core.output)
        self._sent: dict[DialogKey, Sent] = {}
        self.over = Tombstones(64 * core.timers.t1)

    # -- by usages: see ``dialog.keeper.Keeper`` -----------------------------------------------------------

    def settle(self, usages: DialogUsages, then: Then, now: float) -> None:
        then(Outcome.DONE, now)
        session = usages.invite
        if not isinstance(session, Session) or not session.is_established:
            return
        if session.application is None:
            session.application = {}
        session.application.setdefault(BEGAN, now)
        dialog = usages.dialog
        if not usages.ceiling:
            usages.ceiling = ceiling(dialog.local_cseq)
        elif dialog.local_cseq > usages.ceiling - WORTH_A_MARGIN:
            first = next_block(dialog.local_cseq, self.seal.node)
            if first is not None:
                dialog.local_cseq, usages.ceiling = first, ceiling(first)
        if session.exchange.offer is not None:
            return  # the state to tell comes with the answer
        sent = self._sent.setdefault(dialog.key, Sent())
        sent.accepted(now)
        if sent.renewal is not None and sent.renewal.settled(now):
            sent.renewal = None
        if sent.renewal is None and not sent.has(session):
            sent.renewal = Renewal(self, usages, now, by_invite=bool(sent.ignored))

    def forget(self, usages: DialogUsages, then: Then, patience: float, now: float, *, by_peer: bool) -> None:
        key = usages.dialog.key
        sent = self._sent.pop(key, None)
        if sent is not None and sent.renewal is not None:
            sent.renewal.stop()
        usages.ceiling = 0
        self.over.add(key, now)
        then(Outcome.DONE, now)

    def delays(self, usages: DialogUsages, then: Then) -> bool:
        """Nothing waits."""
        return False

    def refused(self, usages: DialogUsages) -> None:
        sent, session = self._sent.get(usages.dialog.key), usages.invite
        if sent is not None and isinstance(session, Session):
            sent.asked = None
            if sent.renewal is not None and sent.renewal.is_by_invite:
                sent.renewed(session, whole=False)

    def holds(self, usages: DialogUsages) -> bool:
        return usages.dialog.key in self._sent

    def is_settled(self, usages: DialogUsages) -> bool:
        """Whether the peer has it."""
        sent, session = self._sent.get(usages.dialog.key), usages.invite
        if sent is None or not isinstance(session, Session):
            return False
        return sent.is_whole and sent.has(session)

    def release(self, usages: DialogUsages) -> None:
        del self._sent[usages.dialog.key]

    def ends(self, key: DialogKey) -> bool:
        """Whether it was over a short time ago."""
        return key in self.over

    # -- by the core ---------------------------------------------------------------------------------------

    def resumed(self, usages: DialogUsages, epoch: int, now: float) -> None:
        """A session that its peer had kept goes on here."""
        session = usages.invite
        assert isinstance(session, Session)
        usages.ceiling = ceiling(usages.dialog.local_cseq)
        self._sent[usages.dialog.key] = Sent(Told(digest(session), "", True))

    def waiting(self) -> list[str]:
        """What the peers still are to be told, in words."""
        renewals = (sent.renewal for sent in self._sent.values())
        return [repr(renewal) for renewal in renewals if renewal is not None]

    def contact_of_request(self, draft: Draft, usages: DialogUsages | None, contact: str, now: float) -> str:
        """Our Contact URI in a request that has one, where it would be ``contact``."""
        session = None if usages is None else usages.invite
        if usages is not None and isinstance(session, Session) and session.is_established:
            sent = self._sent.setdefault(usages.dialog.key, Sent())
            uri, told = self._contacts.write(usages, session, contact, now, lasting=bool(sent.ignored))
            sent.asked = attrs.evolve(told, by=draft.method)
            return uri
        if usages is None:
            begins = draft.method == "INVITE"
        else:
            begins = isinstance(session, Session) and session.is_caller
        if not begins:
            return contact
        return self._contacts.begun(
            draft.call_id, draft.from_.rpartition(";tag=")[2], draft.identity, contact
        )

    def heard(self, usages: DialogUsages, request: Request, now: float) -> None:
        """The peer has sent ``request``: did it take the Contact that we told it last? On some the target
        refresh of our UPDATE is lost (RFC 3311 §5.1), on others that of a 2xx to their re-INVITE (RFC 3261
        §12.2.1.2): then a re-INVITE of ours tells it, and what changes later.
        """
        sent, session, uri = self._sent.get(usages.dialog.key), usages.invite, request.uri
        if (
            sent is None
            or request.method == "BYE"
            or not isinstance(uri, SipUri)
            or not sent.is_missed_by(uri.user, now)
            or not isinstance(session, Session)
            or not session.is_established
        ):
            return
        by = sent.known.by if sent.known is not None else ""
        if by != "INVITE" and by not in sent.ignored:  # else the re-INVITE was of no use
            sent.ignored |= {by}
            sent.renewal = Renewal(self, usages, now, by_invite=True, in_any_case=True)
        elif not sent.is_stale:
            sent.is_stale = True
            what = "its peer keeps to an old Contact of ours: another node would go on from an old state"
            self.output(Warn(f"{usages.dialog.call_id}: {what}"))

    def contact_of_response(self, usages: DialogUsages, contact: str, now: float) -> str:
        """The same in a 2xx of ours, when it has taken effect."""
        session = usages.invite
        if not isinstance(session, Session):
            return contact
        if not usages.ceiling:
            usages.ceiling = ceiling(usages.dialog.local_cseq)
        sent = self._sent.setdefault(usages.dialog.key, Sent())
        uri, told = self._contacts.write(usages, session, contact, now, lasting=bool(sent.ignored))
        sent.answered(told, now)
        return uri

    # -- by renewals ---------------------------------------------------------------------------------------

    def is_known(self, session: Session) -> bool:
        """Whether the peer was told all that there is."""
        sent = self._sent.get(session.usages.dialog.key)
        return sent is None or sent.has(session)

    def ignores_update(self, session: Session) -> None:
        """No UPDATE of ours tells the peer a new Contact."""
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.ignored |= {"UPDATE"}

    def accepted(self, session: Session, now: float) -> None:
        """The peer has taken what we told it last."""
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.accepted(now)

    def renewed(self, session: Session, *, whole: bool = True) -> None:
        """A renewal is done: what there is counts as told. Not ``whole``: the peer does not take it, and we
        leave it at that until the next change.
        """
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.renewed(session, whole=whole)
