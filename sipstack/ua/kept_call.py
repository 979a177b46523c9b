"""A call as the store has it, for who decides what is to become of it."""

from __future__ import annotations

import attrs

from sipstack.core.lasting import BEGAN
from sipstack.core.outputs import DialogKey
from sipstack.message import NameAddr, Uri
from sipstack.ua.call_data import CallData, no_change
from sipstack.usage.invite.record import SessionRecord

SECURITY = {"none": None, "sdes": "SDES-SRTP", "dtls": "DTLS-SRTP"}


@attrs.frozen
class KeptCall:
    """A call that a store holds. ``local`` and ``remote`` are the addresses of the two sides; ``duration`` is
    how many seconds ago it was answered, None where nobody noted that; ``seconds_left`` how long the store
    keeps it if nothing happens. ``security`` is what protected its media; None for nothing.
    """

    id: str
    """The Call-ID."""
    local: Uri
    remote: Uri
    duration: float | None
    seconds_left: float
    security: str | None
    data: CallData = attrs.field(eq=False)
    """What the application kept with it (``Call.data``); what is changed here is not kept."""
    _key: DialogKey = attrs.field(repr=False)
    _epoch: int = attrs.field(repr=False)

    @classmethod
    def of(cls, record: SessionRecord, epoch: int, left: float, now: float) -> KeptCall:
        """The call of this record, as it is at ``now``."""
        began = record.application.get(BEGAN)
        dialog = record.dialog
        return cls(
            dialog.call_id,
            NameAddr.parse(dialog.local).uri,
            NameAddr.parse(dialog.remote).uri,
            now - began if isinstance(began, int | float) else None,
            left,
            SECURITY[record.keying.value],
            CallData(dict(record.application), no_change),
            dialog.key,
            epoch,
        )
