"""Sessions that are kept by their peers: each of our target refreshes carries the state, sealed, as the user
part of its Contact.

There is nothing to wait for. What the peer has not been told yet, such as its own answer to our offer, is
told by an UPDATE of its own (``renewal.py``).
"""

from __future__ import annotations

from typing import Any, Protocol

import attrs

from sipstack.core.configuration import Configuration
from sipstack.core.lasting import BEGAN, lasted
from sipstack.core.numbers import ceiling, next_block
from sipstack.core.outputs import DialogKey, Output, Warn
from sipstack.core.renewal import Renewal
from sipstack.core.seal import Seal
from sipstack.core.tombstones import Tombstones
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
    on its way in a request of ours. ``whole``: the latter two did fit into our Contact, each.
    """

    known: int | None = None
    asked: int | None = None
    renewal: Renewal | None = None
    whole: bool = True
    asked_whole: bool = True

    def accepted(self) -> None:
        """The peer has taken what we told it last."""
        if self.asked is not None:
            self.known, self.whole, self.asked = self.asked, self.asked_whole, None


class Sealing:
    """The keeper of one core's sessions where the peers keep them. It is told of each new stable state, and
    does not wait.
    """

    __slots__ = (
        "_configuration",
        "_sent",
        "_told",
        "output",
        "over",
        "schedule",
        "seal",
    )

    def __init__(self, core: SealingCore, seal: Seal) -> None:
        self.output = core.output
        self.schedule = core.schedule
        self.seal = seal
        self._configuration = core.configuration
        self._sent: dict[DialogKey, Sent] = {}
        self.over = Tombstones(64 * core.timers.t1)
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
        sent.accepted()
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
        self.over.add(key, now)
        then(Outcome.DONE, now)

    def delays(self, usages: DialogUsages, then: Then) -> bool:
        """Nothing waits."""
        return False

    def holds(self, usages: DialogUsages) -> bool:
        return usages.dialog.key in self._sent

    def is_settled(self, usages: DialogUsages) -> bool:
        """Whether the peer has it."""
        sent, session = self._sent.get(usages.dialog.key), usages.invite
        if sent is None or not isinstance(session, Session):
            return False
        return sent.whole and sent.renewal is None and sent.known == digest(session)

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
        self._sent[usages.dialog.key] = Sent(digest(session))

    def waiting(self) -> list[str]:
        """What the peers still are to be told, in words."""
        renewals = (sent.renewal for sent in self._sent.values())
        return [repr(renewal) for renewal in renewals if renewal is not None]

    def contact_of_request(self, draft: Draft, usages: DialogUsages | None, contact: str, now: float) -> str:
        """Our Contact URI in a request that has one, where it would be ``contact``."""
        session = None if usages is None else usages.invite
        if usages is not None and isinstance(session, Session) and session.is_established:
            sent = self._sent.setdefault(usages.dialog.key, Sent())
            sent.asked = digest(session)
            uri, sent.asked_whole = self._sealed(usages, session, contact, now)
            return uri
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
        sent = self._sent.setdefault(usages.dialog.key, Sent())
        sent.known = digest(session)
        uri, sent.whole = self._sealed(usages, session, contact, now)
        return uri

    def _begun(self, call_id: str, local_tag: str, identity: Identity, contact: str) -> str:
        """Says no more than that there is such a call."""
        before, after = _parts(contact, identity)
        room = LONGEST - len(before) - len(after)
        user = self.seal.begin(call_id, local_tag, self._configuration.maximum_age, room) if after else ""
        return before + user + after if user else contact

    def _sealed(self, usages: DialogUsages, session: Session, contact: str, now: float) -> tuple[str, bool]:
        """Our Contact URI, and whether all of the session is in it."""
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
                return before + user + after, True
        else:
            why = "our Contact is a GRUU"
        if not self._told:
            self._told = True
            self.output(Warn(f"{usages.dialog.call_id}: {why}: it lives and dies with this process"))
        begun = self._begun(usages.dialog.call_id, usages.dialog.local_tag, usages.identity, contact)
        return begun, False

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
        if sent is not None:
            sent.accepted()

    def renewed(self, session: Session) -> None:
        """A renewal is done: what there is counts as told."""
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.renewal, sent.known = None, digest(session)

    def given_up(self, session: Session) -> None:
        """The peer does not take what we tell it: until the next change we leave it at that."""
        self.renewed(session)
        sent = self._sent.get(session.usages.dialog.key)
        if sent is not None:
            sent.whole = False


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
