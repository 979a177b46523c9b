"""How a call of ours tells who calls: not at all, by what is preferred, or signed (RFC 3323, 3325, 8224)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from sipstack.core.outputs import Flow
from sipstack.errors import LocalProtocolError
from sipstack.message import NameAddr, parse_uri
from sipstack.message.headers import HeaderFields
from sipstack.ua.identity import ANONYMOUS_HOST
from sipstack.ua.trusted import Trusted

if TYPE_CHECKING:
    from sipstack.stir import Signer

ANONYMOUS_FROM = f'"Anonymous" <sip:anonymous@{ANONYMOUS_HOST}>'
"""RFC 3323 §4.1.1.3."""

LEVELS = frozenset(("header", "session", "user", "none", "critical", "id", "history"))
"""RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1."""


OWNED = {
    "Privacy": "give privacy=",
    "P-Preferred-Identity": "it goes along with privacy= to peers whom we trust",
    "Identity": "the signer writes it",
    "Date": "the signer writes it",
}
"""Fields of a call that tells who calls, and what to give instead."""


@attrs.frozen
class Presentation:
    """What an application wants to be told of the caller."""

    privacy: str
    signer: Signer | None

    @classmethod
    def of(cls, privacy: str | None, signer: Signer | None) -> Presentation | None:
        """None when it wants nothing. Raises LocalProtocolError for what cannot be had."""
        if privacy is None and signer is None:
            return None
        presentation = cls(check_privacy(privacy), signer)
        if signer is not None and presentation.anonymous:
            raise LocalProtocolError("a signature tells who calls: give privacy= or signer=")
        return presentation

    @property
    def anonymous(self) -> bool:
        """Whether nothing in the request may name the caller."""
        return self.privacy not in ("", "none")

    @property
    def headers(self) -> HeaderFields:
        """Privacy; and where it is critical a demand that nobody passes over (RFC 3323 §4.2)."""
        if not self.privacy:
            return ()
        demand: HeaderFields = (("Proxy-Require", "privacy"),) if "critical" in self.privacy else ()
        return (("Privacy", self.privacy), *demand)


@attrs.frozen
class Introduction:
    """What one INVITE tells of its caller, by its flow and its session description. ``caller`` is a
    name-addr, ``target`` a URI.
    """

    presentation: Presentation
    caller: str
    target: str
    trusted: Trusted

    def headers(self, flow: Flow, description: bytes) -> HeaderFields:
        """Those of an INVITE with this description over this flow."""
        if self.presentation.signer is not None:
            caller, called = NameAddr.parse(self.caller).uri, parse_uri(self.target)
            return self.presentation.signer.headers(caller, called, description)
        if self.presentation.anonymous and self._may_name(flow):
            return (("P-Preferred-Identity", self.caller),)  # for the proxy to assert (RFC 3325 §9.2)
        return ()

    def _may_name(self, flow: Flow) -> bool:
        return flow.remote[0] in self.trusted and ANONYMOUS_HOST not in self.caller


def check_privacy(privacy: str | None) -> str:
    """``privacy`` as a Privacy value. Raises LocalProtocolError for what is none."""
    levels = [] if privacy is None else [level.strip().lower() for level in privacy.split(";")]
    unknown = sorted(set(levels) - LEVELS)
    if unknown or len(set(levels)) != len(levels):
        raise LocalProtocolError(f"{privacy!r} is no Privacy: write it like 'id' or 'id;critical'")
    if ("none" in levels and len(levels) > 1) or levels == ["critical"]:
        raise LocalProtocolError(f"{privacy!r} is no Privacy: none stands alone, and critical beside another")
    return ";".join(levels)
