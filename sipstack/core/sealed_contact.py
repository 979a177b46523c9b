"""Our Contact URI with a session in its user part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipstack.core.configuration import Configuration
from sipstack.core.lasting import BEGAN, lasted
from sipstack.core.numbers import ceiling
from sipstack.core.outputs import Output, Warn
from sipstack.core.seal import Seal
from sipstack.core.told import Told, digest
from sipstack.dialog.identity import Identity
from sipstack.dialog.usages import DialogUsages
from sipstack.errors import LocalProtocolError
from sipstack.message.session_id import NULL
from sipstack.sdp.abridged import abridged
from sipstack.sdp.recordable import Keying
from sipstack.usage.invite.record import SessionRecord
from sipstack.usage.invite.session import Session

LONGEST = 512
"""Octets of our Contact URI. Peers that were measured give back four times as much (``interop/sealed.py``);
but it comes with each request of a call, and others may set aside no more than that for a URI.
"""
CARRIED = ("call_id", "local_tag", "remote_tag", "local", "remote", "early")
"""What each request of the peer tells of the dialog."""


class SealedContacts:
    """Writes them. What does not fit is told once, by the first such call."""

    __slots__ = ("_configuration", "_output", "_seal", "_told")

    def __init__(self, seal: Seal, configuration: Configuration, output: Callable[[Output], None]) -> None:
        self._seal = seal
        self._configuration = configuration
        self._output = output
        self._told = False

    def begun(self, call_id: str, local_tag: str, identity: Identity, contact: str) -> str:
        """Says no more than that there is such a call."""
        before, after = _parts(contact, identity)
        room = LONGEST - len(before) - len(after)
        user = self._seal.begin(call_id, local_tag, self._configuration.maximum_age, room) if after else ""
        return before + user + after if user else contact

    def write(
        self, usages: DialogUsages, session: Session, contact: str, now: float, *, lasting: bool = False
    ) -> tuple[str, Told]:
        """Our Contact URI, and what it tells. ``lasting``: refreshes of the peer bring it no other."""
        before, after = _parts(contact, usages.identity)
        if after:
            record = session.snapshot(now)
            values, lifetime = self._values(record, usages, now), self._lifetime(record, lasting)
            room = LONGEST - len(before) - len(after)
            try:
                user = self._seal.seal(usages.dialog.key, values, lifetime, room)
                why = "its state does not fit into our Contact"
            except LocalProtocolError as error:  # of the application's data
                user, why = "", str(error)
            if user:
                return before + user + after, Told(digest(session), user, True)
        else:
            why = "our Contact is a GRUU"
        if not self._told:
            self._told = True
            self._output(Warn(f"{usages.dialog.call_id}: {why}: it lives and dies with this process"))
        begun = self.begun(usages.dialog.call_id, usages.dialog.local_tag, usages.identity, contact)
        return begun, Told(digest(session), "", False)

    def _values(self, record: SessionRecord, usages: DialogUsages, now: float) -> dict[str, Any]:
        """What no request of the peer tells."""
        values = record.as_values()
        if record.keying is not Keying.NONE and record.local is not None and record.remote is not None:
            values["local"] = abridged(record.local).decode("utf-8", "surrogateescape")
            values["remote"] = abridged(record.remote).decode("utf-8", "surrogateescape")
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

    def _lifetime(self, record: SessionRecord, lasting: bool) -> float:
        """With a session timer one interval more than it has left: a peer may keep the Contact it has."""
        if lasting:
            return self._configuration.maximum_age
        timer = record.extensions.get("timer", {})
        left, interval = timer.get("left"), timer.get("interval")
        if isinstance(left, int | float) and isinstance(interval, int | float):
            return max(left, 0.0) + interval
        return self._configuration.maximum_age


def _parts(contact: str, identity: Identity) -> tuple[str, str]:
    """What comes before and after the user part; the latter is empty for a GRUU: its user is not ours."""
    if identity.bound is not None and contact == identity.bound.gruu:
        return "", ""
    scheme, _, rest = contact.partition(":")
    return f"{scheme}:", f"@{rest.partition('@')[2] or rest}"
