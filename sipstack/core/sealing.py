"""Sessions that are kept by their peers: each of our target refreshes carries the state, sealed, as the user
part of its Contact.

There is nothing to wait for. What the peer has not been told yet, such as its own answer to our offer, is
told by an UPDATE of its own (``renewal.py``).
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import attrs

from sipstack.core.configuration import Configuration
from sipstack.core.lasting import BEGAN, lasted
from sipstack.core.numbers import ceiling, next_block
from sipstack.core.outputs import DialogKey, Output, Warn
from sipstack.core.renewal import Renewal
from sipstack.core.seal import Seal
from sipstack.dialog.draft import Draft
from sipstack.dialog.identity import Identity
from sipstack.dialog.keeper import Then
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError
from sipstack.message.session_id import NULL
from sipstack.outcome import Outcome
from sipstack.transaction.deadlines import Timed
from sipstack.transaction.timers import Timers
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session

LONGEST = 512
"""Octets of our Contact URI: Asterisk takes no longer one."""
CARRIED = ("call_id", "local_tag", "remote_tag", "local", "remote", "early")
"""What each request of the peer tells of the dialog."""
TOMBSTONES = 100_000
"""Calls that are over and remembered; the oldest is forgotten."""
WORTH_A_MARGIN = 500
"""Numbers that are left of ours when we go on with others: like ``dialog.usages.CSEQ_MARGIN``."""


class SealingCore(Protocol):
    """The parts of the core that sealing needs."""

    configuration: Configuration
    timers: Timers

    def output(self, output: Output) -> None: ...

    def schedule(self, item: Timed) -> None: ...


@attrs.define
class Sent:
    """What the peer of one session has: a digest of the state that it was told last, and of the one that is
    on its way in a request of ours.
    """

    known: int | None = None
    asked: int | None = None
    renewal: Renewal | None = None


class Sealing:
    """The keeper of one core's sessions where the peers keep them. It is told of each new stable state, and
    does not wait.
    """

    __slots__ = (
        "_configuration",
        "_life",
        "_over",
        "_over_at",
        "_sent",
        "_told",
        "output",
        "schedule",
        "seal",
    )

    def __init__(self, core: SealingCore, seal: Seal) -> None:
        self.output = core.output
        self.schedule = core.schedule
        self.seal = seal
        self._configuration = core.configuration
        self._life = 64 * core.timers.t1
        self._sent: dict[DialogKey, Sent] = {}
        self._over: dict[DialogKey, float] = {}
        self._over_at: deque[tuple[float, DialogKey]] = deque()
        self._told = False

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
        if sent.asked is not None:
            sent.known, sent.asked = sent.asked, None
        if sent.renewal is not None and sent.renewal.settled(now):
            sent.renewal = None
        if sent.renewal is None and sent.known != digest(session):
            sent.renewal = Renewal(self, usages, now)

    def forget(self, usages: DialogUsages, then: Then, patience: float, now: float, *, by_peer: bool) -> None:
        key = usages.dialog.key
        sent = self._sent.pop(key, None)
        if sent is not None and sent.renewal is not None:
            sent.renewal.stop()
        usages.ceiling = 0
        self.bury(key, now)
        then(Outcome.DONE, now)

    def delays(self, usages: DialogUsages, then: Then) -> bool:
        """Nothing waits."""
        return False

    def holds(self, usages: DialogUsages) -> bool:
        return usages.dialog.key in self._sent

    # -- what is over --------------------------------------------------------------------------------------

    def bury(self, key: DialogKey, now: float) -> None:
        """The call is over: for 64*T1 nothing of it is taken here."""
        self.unbury(now)
        if key not in self._over:
            if len(self._over) >= TOMBSTONES:
                del self._over[self._over_at.popleft()[1]]
            self._over[key] = now + self._life
            self._over_at.append((now + self._life, key))

    def unbury(self, now: float) -> None:
        """Forget what has been over for long enough."""
        while self._over_at and self._over_at[0][0] <= now:
            del self._over[self._over_at.popleft()[1]]

    def ends(self, key: DialogKey) -> bool:
        """Whether it was over a short time ago."""
        return key in self._over

    # -- by the core ---------------------------------------------------------------------------------------

    def resumed(self, usages: DialogUsages, epoch: int, now: float) -> None:
        """A session that its peer had kept goes on here."""
        session = usages.invite
        assert isinstance(session, Session)
        usages.ceiling = ceiling(usages.dialog.local_cseq)
        self._sent[usages.dialog.key] = Sent(digest(session))

    def waiting(self) -> list[str]:
        """What the peers still are to be told, in words."""
        renewals = (sent.renewal for sent in self._sent.values())
        return [repr(renewal) for renewal in renewals if renewal is not None]

    def contact_of_request(self, draft: Draft, usages: DialogUsages | None, contact: str, now: float) -> str:
        """Our Contact URI in a request that has one, where it would be ``contact``."""
        session = None if usages is None else usages.invite
        if usages is not None and isinstance(session, Session) and session.is_established:
            asked = digest(session)
            self._sent.setdefault(usages.dialog.key, Sent()).asked = asked
            return self._sealed(usages, session, contact, now)
        if usages is None:
            begins = draft.method == "INVITE"
        else:
            begins = isinstance(session, Session) and session.is_caller
        if not begins:
            return contact
        return self._begun(draft.call_id, draft.from_.rpartition(";tag=")[2], draft.identity, contact)

    def contact_of_response(self, usages: DialogUsages, contact: str, now: float) -> str:
        """The same in a 2xx of ours, when it has taken effect."""
        session = usages.invite
        if not isinstance(session, Session):
            return contact
        if not usages.ceiling:
            usages.ceiling = ceiling(usages.dialog.local_cseq)
        self._sent.setdefault(usages.dialog.key, Sent()).known = digest(session)
        return self._sealed(usages, session, contact, now)

    def _begun(self, call_id: str, local_tag: str, identity: Identity, contact: str) -> str:
        """Says no more than that there is such a call."""
        before, after = _parts(contact, identity)
        room = LONGEST - len(before) - len(after)
        user = self.seal.begin(call_id, local_tag, self._configuration.maximum_age, room) if after else ""
        return before + user + after if user else contact

    def _sealed(self, usages: DialogUsages, session: Session, contact: str, now: float) -> str:
        before, after = _parts(contact, usages.identity)
        if after:
            record = session.snapshot(now)
            values, lifetime = self._values(record, usages, now), self._lifetime(record)
            room = LONGEST - len(before) - len(after)
            try:
                user = self.seal.seal(usages.dialog.key, values, lifetime, room)
                why = "its state does not fit into our Contact"
            except LocalProtocolError as error:  # of the application's data
                user, why = "", str(error)
            if user:
                return before + user + after
        else:
            why = "our Contact is a GRUU"
        if not self._told:
            self._told = True
            self.output(Warn(f"{usages.dialog.call_id}: {why}: it lives and dies with this process"))
        return self._begun(usages.dialog.call_id, usages.dialog.local_tag, usages.identity, contact)

    def _values(self, record: SessionRecord, usages: DialogUsages, now: float) -> dict[str, Any]:
        """What no request of the peer tells."""
        values = record.as_values()
        values["application"] = lasted({BEGAN: now} | record.application, now)
        dialog = values["dialog"]
        for name in CARRIED:
            dialog.pop(name, None)
        if dialog.pop("session_id", "").endswith(NULL):  # a peer that does not tell it
            dialog["session_id"] = usages.dialog.session_id[:32]
        dialog["local_cseq"] = usages.ceiling or ceiling(dialog["local_cseq"])
        if self._configuration.peers != "anyone":
            values["source"] = usages.source
        return values

    def _lifetime(self, record: SessionRecord) -> float:
        """With a session timer one interval more than it has left: a peer may keep the Contact it has."""
        timer = record.extensions.get("timer", {})
        left, interval = timer.get("left"), timer.get("interval")
        if isinstance(left, int | float) and isinstance(interval, int | float):
            return max(left, 0.0) + interval
        return self._configuration.maximum_age

    # -- by renewals ---------------------------------------------------------------------------------------

    def is_known(self, session: Session) -> bool:
        """Whether the peer was told all that there is."""
        sent = self._sent.get(session.usages.dialog.key)
        return sent is None or sent.known == digest(session)

    def accepted(self, session: Session) -> None:
        """The peer has taken what we told it last."""
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None and sent.asked is not None:
            sent.known, sent.asked = sent.asked, None

    def renewed(self, session: Session) -> None:
        """A renewal is done, or given up: what there is counts as told."""
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.renewal, sent.known = None, digest(session)


def digest(session: Session) -> int:
    """Of what a peer is to be told anew when it changes. Numbers and timers run on by themselves."""
    dialog, exchange = session.usages.dialog, session.exchange
    noted = [each for each in (session.application or {}).items() if each[0] != BEGAN]
    return hash((exchange.local, exchange.remote, dialog.remote_target, dialog.route_set, repr(noted)))


def _parts(contact: str, identity: Identity) -> tuple[str, str]:
    """What comes before and after the user part; the latter is empty for a GRUU: its user is not ours."""
    if identity.bound is not None and contact == identity.bound.gruu:
        return "", ""
    scheme, _, rest = contact.partition(":")
    return f"{scheme}:", f"@{rest.partition('@')[2] or rest}"
