"""What a registration tells its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from sipstack.errors import SipError
from sipstack.message import Response

if TYPE_CHECKING:
    from sipstack.usage.registration.usage import RegistrationUsage


@attrs.frozen
class OfRegistration:
    """Of a binding of ours."""

    registration: RegistrationUsage

    @property
    def receiver(self) -> Any:
        return self.registration.user


@attrs.frozen
class Registered(OfRegistration):
    """The registrar granted the binding for ``expires`` seconds; ``registration.grant`` says what else."""

    expires: float
    response: Response


@attrs.frozen
class Unregistered(OfRegistration):
    """The binding is removed, as we asked."""


@attrs.frozen
class RegistrationFailed(OfRegistration):
    """The registrar refused (``response``) or did not answer (``error``). The binding may still stand for a
    while. ``retry_after``: the seconds that the registrar wants to be left alone.
    """

    response: Response | None
    error: SipError | None
    retry_after: float | None = None


@attrs.frozen
class FlowLost(OfRegistration):
    """The flow over which calls come to us is gone (RFC 5626 §4.4): whoever wants them registers again."""

    error: SipError
