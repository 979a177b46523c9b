"""What the INVITE usage tells the user agent.

Immutable by convention, as each call makes several: a frozen class takes twice the time. ``receiver`` is the
``user`` of the usage that the event is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipstack.errors import SipError
from sipstack.message import Request, Response

if TYPE_CHECKING:
    from sipstack.transaction.flow import Flow
    from sipstack.usage.invite.incoming import IncomingInvite
    from sipstack.usage.invite.outgoing import OutgoingInviteUsage
    from sipstack.usage.invite.session import Session


@attrs.define(eq=False)
class InvitationReceived:
    """A new INVITE. Answer it with accept, progress or refuse; a policy returns its decision instead.

    ``sipstack.session_description(event.request)`` is the offer in it, b"" when that is ours to make.
    """

    invitation: IncomingInvite
    request: Request

    @property
    def receiver(self) -> Any:
        return self.invitation.user


@attrs.define(eq=False)
class InvitationCancelled:
    """The caller gave up before our final response; 487 is already sent. ``reason`` is the Reason field of
    its CANCEL or BYE (RFC 3326), ours when we gave up for it, or "".
    """

    invitation: IncomingInvite
    reason: str

    @property
    def receiver(self) -> Any:
        return self.invitation.user


@attrs.define(eq=False)
class Routed:
    """An INVITE of ours has its flow, and waits for the user agent's ``offer``."""

    outgoing: OutgoingInviteUsage
    flow: Flow

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class Progressed:
    """A provisional response other than 100."""

    outgoing: OutgoingInviteUsage
    response: Response

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class Answered:
    """The call is accepted, and acknowledged unless a late offer waits for ``Session.answer``."""

    outgoing: OutgoingInviteUsage
    session: Session
    response: Response

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class Refused:
    """A final response other than 2xx."""

    outgoing: OutgoingInviteUsage
    response: Response

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class Failed:
    """The INVITE came to nothing without a final response."""

    outgoing: OutgoingInviteUsage
    error: SipError

    @property
    def receiver(self) -> Any:
        return self.outgoing.user


@attrs.define(eq=False)
class Acknowledged:
    """The ACK for our 2xx came; ``body`` is the answer when the 2xx carried our offer, else b""."""

    session: Session
    body: bytes

    @property
    def receiver(self) -> Any:
        return self.session.user


@attrs.define(eq=False)
class OfferReceived:
    """An offer of the peer; b"" asks us for it. Answer with accept_offer or refuse_offer."""

    session: Session
    body: bytes

    @property
    def receiver(self) -> Any:
        return self.session.user


@attrs.define(eq=False)
class OfferAnswered:
    """Our re-INVITE was accepted with this answer."""

    session: Session
    body: bytes

    @property
    def receiver(self) -> Any:
        return self.session.user


@attrs.define(eq=False)
class OfferDue:
    """Our re-INVITE met one of the other side (glare), or was refused for the moment, and the wait is over:
    make the offer again.
    """

    session: Session

    @property
    def receiver(self) -> Any:
        return self.session.user


@attrs.define(eq=False)
class OfferRefused:
    """Our re-INVITE was refused; the session is what it was before."""

    session: Session
    response: Response

    @property
    def receiver(self) -> Any:
        return self.session.user


@attrs.define(eq=False)
class Ended:
    """The session is over. ``by`` is "local", "remote", "timeout" or "transport"."""

    session: Session
    by: str
    reason: str

    @property
    def receiver(self) -> Any:
        return self.session.user
