"""What the INVITE usage tells the user agent.

Immutable by convention, as each call makes several: a frozen class takes twice the time. ``receiver`` is the
``user`` of the usage that the event is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipstack.errors import SipError
from sipstack.message import Request, Response
from sipstack.usage.content import octets

if TYPE_CHECKING:
    from sipstack.transaction.flow import Flow
    from sipstack.usage.invite.incoming import IncomingInvite
    from sipstack.usage.invite.outgoing import OutgoingInviteUsage
    from sipstack.usage.invite.session import Session


@attrs.define(eq=False)
class OfInvitation:
    """Of an INVITE of the peer."""

    invitation: IncomingInvite

    @property
    def receiver(self) -> Any:
        return self.invitation.user


@attrs.define(eq=False)
class OfOutgoing:
    """Of an INVITE of ours."""

    outgoing: OutgoingInviteUsage

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class OfSession:
    """Of a session; before it is accepted it goes to the user of its INVITE."""

    session: Session

    @property
    def receiver(self) -> Any:
        session = self.session
        return session.origin.user if session.user is None and session.origin is not None else session.user


@attrs.define(eq=False)
class InvitationReceived(OfInvitation):
    """A new INVITE. Answer it with accept, progress or refuse; a policy returns its decision instead.

    ``sipstack.session_description(event.request)`` is the offer in it, b"" when that is ours to make.
    """

    request: Request


@attrs.define(eq=False)
class InvitationCancelled(OfInvitation):
    """The caller gave up before our final response; 487 is already sent. ``reason`` is the Reason field of
    its CANCEL or BYE (RFC 3326), ours when we gave up for it, or "". ``by``: who ended it, as in ``Ended``.
    """

    reason: str
    by: str = "remote"
    status: int = 487
    """That we have answered."""


@attrs.define(eq=False)
class ProgressConfirmed(OfInvitation):
    """A reliable provisional response of ours has reached the caller: the next response may go out."""


@attrs.define(eq=False)
class Routed(OfOutgoing):
    """An INVITE of ours has its flow, and waits for the user agent's ``offer``."""

    flow: Flow


@attrs.define(eq=False)
class Progressed(OfOutgoing):
    """A provisional response other than 100."""

    response: Response


@attrs.define(eq=False)
class Answered(OfOutgoing):
    """The call is accepted, and acknowledged unless a late offer waits for ``Session.answer``."""

    session: Session
    response: Response


@attrs.define(eq=False)
class Refused(OfOutgoing):
    """A final response other than 2xx."""

    response: Response


@attrs.define(eq=False)
class Failed(OfOutgoing):
    """The INVITE came to nothing without a final response."""

    error: SipError


@attrs.define(eq=False)
class Accepted(OfSession):
    """Our 2xx has gone out. Told only where it had to wait for the store."""


@attrs.define(eq=False)
class Acknowledged(OfSession):
    """The ACK for our 2xx came; ``body`` is the answer when the 2xx carried our offer, else b""."""

    body: bytes = attrs.field(repr=octets)


@attrs.define(eq=False)
class OfferReceived(OfSession):
    """An offer of the peer; b"" asks us for it. Answer with accept_offer or refuse_offer."""

    body: bytes = attrs.field(repr=octets)


@attrs.define(eq=False)
class OfferAnswered(OfSession):
    """Our re-INVITE or UPDATE was accepted with this answer; b"" where it carried no offer."""

    body: bytes = attrs.field(repr=octets)


@attrs.define(eq=False)
class OfferDue(OfSession):
    """Our re-INVITE met one of the other side (glare), or was refused for the moment, and the wait is over:
    make the offer again.
    """


@attrs.define(eq=False)
class RefreshDue(OfSession):
    """The session timer wants a re-INVITE: offer what we have, unchanged. An offer under way does as well."""


@attrs.define(eq=False)
class OfferRefused(OfSession):
    """Our re-INVITE was refused; the session is what it was before."""

    response: Response


@attrs.define(eq=False)
class Ended(OfSession):
    """The session is over. ``by`` is "local", "remote", "timeout", "transport", "session timer",
    "expired" or "elsewhere".
    """

    by: str
    reason: str
