"""Where a call goes on that was redirected (RFC 3261 §8.1.3.4), where its caller has chosen to follow."""

from __future__ import annotations

from sipstack.errors import ParseError, SipError
from sipstack.message import NameAddr, Response, SipUri, TelUri, Uri, parse_uri

FOLLOWED = (300, 301, 302)
"""305 asks for a proxy, and 380 for another kind of service: both are the application's."""


class Redirections:
    """The targets of one call: each is tried once, ``limit`` of them after the first at the most.

    Targets are tried by their preference (q), the targets of a target before the others. What a target
    refuses, or does not answer, is followed by the next; 6xx speaks for all of them.

    A call to a ``sips:`` URI goes on to such URIs alone: who asked for security keeps it. A ``tel:`` URI is
    a target only where a proxy knows the way (``through_proxy``). Other schemes, and what a Contact says of
    method and header fields (``?Subject=...``), are left out: it is not for a stranger to write our INVITE.
    """

    def __init__(self, target: str, limit: int, *, through_proxy: bool) -> None:
        self._secure = target.lower().startswith("sips:")
        self._through_proxy = through_proxy
        self._left = limit
        self._known: list[Uri] = [parse_uri(target)]
        self._waiting: list[Uri] = []

    def next_after(self, outcome: Response | SipError) -> str | None:
        """The target to try after this one has refused or failed; None when that is the end."""
        if isinstance(outcome, Response):
            if outcome.status in FOLLOWED:
                self._waiting[:0] = self._targets(outcome)
            elif outcome.status >= 600:
                self._waiting.clear()
        if not self._left or not self._waiting:
            return None
        self._left -= 1
        return str(self._waiting.pop(0))

    def _targets(self, response: Response) -> list[Uri]:
        """Those that are new, the best first; of equal ones the first that is named."""
        contacts = response.headers.readable("Contact")
        named = [contact for contact in contacts if isinstance(contact, NameAddr)]
        targets: list[Uri] = []
        for contact in sorted(named, key=_preference, reverse=True):
            uri = self._usable(contact)
            if uri is not None and uri not in self._known and len(targets) < self._left:
                self._known.append(uri)
                targets.append(uri)
        return targets

    def _usable(self, contact: NameAddr) -> Uri | None:
        try:
            uri = contact.uri
        except ParseError:
            return None
        if isinstance(uri, TelUri):
            return uri if self._through_proxy and not self._secure else None
        if not isinstance(uri, SipUri) or (self._secure and uri.scheme != "sips"):
            return None
        parameters = uri.parameters.without("method")
        return uri.replace(headers=(), parameters=parameters).escaped()


def _preference(contact: NameAddr) -> float:
    """The q of a Contact, 1 where it has none that can be read (§20.10)."""
    try:
        q = float(contact.parameters.get("q") or 1.0)
    except ValueError:
        return 1.0
    return q if 0.0 <= q <= 1.0 else 1.0
