"""What REFER tells the user agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipstack.errors import SipError
from sipstack.message import Response

if TYPE_CHECKING:
    from sipstack.usage.refer.incoming import IncomingRefer
    from sipstack.usage.refer.outgoing import OutgoingRefer


@attrs.frozen(eq=False)
class OfRefer:
    """Of a REFER of ours."""

    refer: OutgoingRefer

    @property
    def receiver(self) -> Any:
        return self.refer.user


@attrs.frozen(eq=False)
class ReferProgressed(OfRefer):
    """The other side tells of a provisional response to its call."""

    response: Response


@attrs.frozen(eq=False)
class ReferConcluded(OfRefer):
    """What became of it, told once: the final response to the other side's call, or to our REFER when that
    was refused, or wants no NOTIFY (``of_refer``); an error when none is known.
    """

    outcome: Response | SipError
    of_refer: bool = False


@attrs.frozen(eq=False)
class ReferReceived:
    """Somebody asks us to call somebody else: ``refer.accept`` or ``refer.refuse``."""

    receiver: Any
    refer: IncomingRefer
