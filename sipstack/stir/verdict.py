"""What came of looking at a signature (RFC 8224 §6.2.2)."""

from __future__ import annotations

import attrs

from sipstack.message.status import reason


@attrs.frozen
class Verdict:
    """Whether somebody whom we believe vouches for the caller; if not, why.

    ``caller`` is who it was signed for: show that, and not the name in From, which nobody signs.
    """

    status: int
    """200, or what to refuse with: 428 there is no signature that we can look at; 403 it is not of this
    minute; 436 the certificate cannot be had; 437 it is not to be trusted; 438 it is not of this call.
    """
    explanation: str
    """In words."""
    caller: str = ""
    """The number, digits alone, or the URI that was signed; empty unless valid."""
    called: tuple[str, ...] = ()
    """To whom, as it was signed: To. Where a call was passed on, that is not us."""
    attestation: str | None = None
    """A, B or C of SHAKEN (RFC 8588 §4); None for a plain signature."""
    origin: str | None = None
    """``origid`` of SHAKEN."""
    certificate_url: str = ""

    @property
    def valid(self) -> bool:
        """Whether the caller is proved."""
        return self.status == 200

    @property
    def reason(self) -> str:
        """The reason phrase for the status: ``await invitation.reject(verdict.status, verdict.reason)``."""
        return "Stale Date" if self.status == 403 else reason(self.status)
