"""The INVITE that an early session belongs to, as the session sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sipstack.errors import SipError
from sipstack.usage.invite.offers import Carrier

if TYPE_CHECKING:
    from sipstack.usage.invite.session import Session


class Origin:
    """The INVITE, of either side, that an early session belongs to. Base of both: one of ours sends no
    responses.
    """

    __slots__ = ("application", "carrier")

    application: dict[str, object] | None
    """What the user agent wants to be kept with its session."""
    carrier: Carrier
    user: Any

    def left(self, session: Session, reason: str, now: float) -> None:
        """The peer has said BYE; 200 is sent."""
        raise NotImplementedError

    def proceed(self, now: float) -> None:
        """A request that extensions answer has been answered: what they held back may go out."""

    def resend(self, now: float) -> None:
        """Send our latest provisional response again."""

    def must_wait(self) -> bool:
        """Whether a reliable response of ours is still to be confirmed."""
        return False

    def give_up(self, status: int, now: float, reason: str) -> None:
        """Refuse it with this status, which its user has not asked for."""

    def hung_up(self, now: float) -> None:
        """Its user has accepted the call, and wants it no longer."""

    def once_accepted(self, then: Callable[[float], Any]) -> None:
        """Call ``then`` when our 2xx is out, where it has to wait for that."""

    def supplanted(self, now: float) -> None:
        """Another call has taken its place: give it up, where it is ours to give up."""

    def faulted(self, error: SipError, now: float) -> None:
        """The dialog is of no use any more: give the INVITE up."""
        raise NotImplementedError
