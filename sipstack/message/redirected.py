"""Who a request was meant for before it came here: Diversion (RFC 5806) and History-Info (RFC 7044)."""

from __future__ import annotations

from typing import Self

import attrs

from sipstack.errors import ParseError
from sipstack.message.address import NameAddr
from sipstack.message.fields import parse_privacy
from sipstack.message.grammar import number, split_readable
from sipstack.message.other_uri import Uri
from sipstack.message.parameterised import Reason
from sipstack.message.uri import SipUri


@attrs.frozen
class Diversion:
    """Diversion: an address that did not take the call itself; the latest stands first (RFC 5806 §4).

    Nobody vouches for it but who sent it.
    """

    address: NameAddr

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError."""
        return cls(NameAddr.parse(text))

    @property
    def uri(self) -> Uri:
        """Whose phone passed the call on. Raises ParseError."""
        return self.address.uri

    @property
    def reason(self) -> str:
        """Why, in lower case: ``user-busy``, ``no-answer``, ``unconditional``, …; ``unknown`` when absent."""
        return (self._text("reason") or "unknown").lower()

    @property
    def counter(self) -> int:
        """How many diversions this line stands for; 1 when absent. Raises ParseError."""
        text = self._text("counter")
        return 1 if text is None else number(text, 2**16, "the counter")

    @property
    def limit(self) -> int | None:
        """How many more diversions are allowed. Raises ParseError."""
        text = self._text("limit")
        return None if text is None else number(text, 2**16, "the limit")

    @property
    def privacy(self) -> str:
        """``full``, ``name``, ``uri`` or ``off``, in lower case: what not to show; ``off`` when absent."""
        return (self._text("privacy") or "off").lower()

    def _text(self, name: str) -> str | None:
        return self.address.parameters.text(name)

    def __str__(self) -> str:
        return str(self.address)


@attrs.frozen
class HistoryEntry:
    """History-Info: one target that the request was sent to, oldest first (RFC 7044 §5).

    Nobody vouches for it but who sent it.
    """

    address: NameAddr

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ParseError; the index must be there."""
        address = NameAddr.parse(text)
        if not _is_index(address.parameters.get("index")):
            raise ParseError(f"an entry of History-Info needs an index: {text[:80]!r}")
        return cls(address)

    @property
    def uri(self) -> Uri:
        """The target, with Reason and Privacy of the entry as its header components. Raises ParseError."""
        return self.address.uri

    @property
    def target(self) -> Uri:
        """The target alone. Raises ParseError."""
        uri = self.uri
        return uri.replace(headers=()) if isinstance(uri, SipUri) else uri

    @property
    def index(self) -> tuple[int, ...]:
        """Where it stands in the tree of targets: ``1.2`` is the second that ``1`` was retargeted to."""
        return tuple([int(part) for part in (self.address.parameters.get("index") or "").split(".")])

    @property
    def how(self) -> str | None:
        """``mp``, ``rc`` or ``np``: to another user, by the user's registered Contact, or unchanged."""
        return next((name for name in ("mp", "rc", "np") if name in self.address.parameters), None)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why this target did not end the search, such as ``SIP;cause=486``; what cannot be read is left out.

        Raises ParseError when the URI cannot be read.
        """
        reasons = []
        for text in self._component("reason"):
            for each in split_readable(text):
                try:
                    reasons.append(Reason.parse(each))
                except ParseError:
                    continue
        return tuple(reasons)

    @property
    def privacy(self) -> tuple[str, ...]:
        """What this entry wants not to be shown, such as ``history``. Raises ParseError."""
        return tuple([level for text in self._component("privacy") for level in parse_privacy(text)])

    def _component(self, name: str) -> list[str]:
        uri = self.uri
        headers = uri.headers if isinstance(uri, SipUri) else ()
        return [value for each, value in headers if each.lower() == name]

    def __str__(self) -> str:
        return str(self.address)


MAXIMUM_DEPTH = 32


def _is_index(text: str | None) -> bool:
    parts = (text or "").split(".")
    fit = len(parts) <= MAXIMUM_DEPTH
    return fit and all(part.isascii() and part.isdigit() and len(part) <= 9 for part in parts)
