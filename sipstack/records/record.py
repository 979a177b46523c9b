"""One call as an audit asks for it: who, when, how it came out, how it was protected and how it sounded."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import attrs

from sipstack.errors import ParseError

LONGEST = 512
"""Characters of one text: a peer has chosen most of them."""
MOST_NODES = 32

PERSONAL = ("local", "remote", "user", "peer")
"""The fields that name people or where they are: a chain has commitments in their place."""

OUTCOMES = ("answered", "refused", "cancelled", "failed")


def call_key(call_id: str, tag: str) -> str:
    """The same for each process that has our side of this call: of its Call-ID and our tag."""
    return sha256(f"{call_id}\0{tag}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


@attrs.frozen(kw_only=True)
class CallRecord:
    """What became of one call, once it is over. Times are milliseconds since 1970 in UTC.

    ``local``, ``remote``, ``user`` and ``peer`` are URIs, the name that the caller has proved, and the
    address that signalling came from or went to; of a call that was read from a chain they are commitments.
    """

    call_id: str
    tag: str
    """Ours in the dialog."""
    epoch: int = 0
    """How often the call was taken over by another process."""
    incoming: bool
    local: str = ""
    remote: str = ""
    user: str = ""
    peer: str = ""
    session_id: str = ""
    """RFC 7989: our UUID and that of the other end."""
    began: int
    answered: int | None = None
    ended: int
    duration: int = 0
    """Milliseconds from the answer to the end, by a clock that nobody sets."""
    outcome: str
    """One of ``OUTCOMES``: ``answered``, ``refused``, ``cancelled`` (the caller gave up) or ``failed``."""
    status: int | None = None
    """Of the response that refused it."""
    by: str = ""
    """Who ended it: "local", "remote", "timeout", "transport", "session timer"."""
    reason: str = ""
    transport: str = ""
    """Of signalling, as in Via."""
    secure: bool = False
    """Whether that was TLS."""
    codec: str = ""
    security: str = ""
    """What protected the media, in words; "" for nothing."""
    quality: Mapping[str, int] | None = None
    """Figures of the media: see ``ua.quality``."""
    nodes: tuple[str, ...] = ()
    """The processes that had it, in order."""

    @property
    def key(self) -> str:
        return call_key(self.call_id, self.tag)

    def as_values(self) -> dict[str, Any]:
        """Texts, whole numbers and truth values, with the key; texts are bounded, and can be written."""
        values: dict[str, Any] = {"key": self.key}
        for field in attrs.fields(CallRecord):
            value = getattr(self, field.name)
            values[field.name] = writable(value) if isinstance(value, str) else value
        values["nodes"] = [writable(node) for node in self.nodes[-MOST_NODES:]]
        values["quality"] = None if self.quality is None else dict(self.quality)
        return values

    @classmethod
    def of_values(cls, values: object) -> CallRecord:
        """What ``as_values`` wrote; keys that are not known are passed over. Raises ParseError."""
        if not isinstance(values, dict):
            raise ParseError("the call is no mapping")
        known: dict[str, Any] = {}
        for name, kinds in _KINDS.items():
            if name not in values:
                raise ParseError(f"the call has no {name}")
            if type(values[name]) not in kinds:
                raise ParseError(f"{name} is of another type")
            known[name] = values[name]
        nodes, quality = known["nodes"], known["quality"]
        if any(type(node) is not str for node in nodes):
            raise ParseError("nodes are no texts")
        if quality is not None and any(type(number) is not int for number in quality.values()):
            raise ParseError("quality has more than numbers")
        if known["outcome"] not in OUTCOMES:
            raise ParseError("the outcome is not known")
        return cls(**{**known, "nodes": tuple(nodes)})


_TEXT, _NUMBER, _PERHAPS = (str,), (int,), (int, type(None))
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("call_id", "tag", *PERSONAL, "session_id", "outcome", "by", "reason"), _TEXT),
    **dict.fromkeys(("transport", "codec", "security"), _TEXT),
    **dict.fromkeys(("epoch", "began", "ended", "duration"), _NUMBER),
    **dict.fromkeys(("answered", "status"), _PERHAPS),
    **dict.fromkeys(("incoming", "secure"), (bool,)),
    "quality": (dict, type(None)),
    "nodes": (list,),
}


def writable(text: str) -> str:
    """``text`` cut to its bound; what is no Unicode in it becomes a question mark."""
    return text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
