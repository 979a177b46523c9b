"""The header fields of a response that tell people and programs more than its status does."""

from __future__ import annotations

from sipstack import errors

ALWAYS = ("Warning", "Reason", "Retry-After")
OF_STATUS = {
    405: ("Allow",),
    415: ("Accept", "Accept-Encoding"),
    420: ("Unsupported",),
    421: ("Require",),
    423: ("Min-Expires",),
    485: ("Contact",),
    489: ("Allow-Events",),
}
"""What the refusal is about: RFC 3261 §21.4, RFC 6665 §8.3.2."""
REDIRECTION = ("Contact",)
"""Where else to try (RFC 3261 §21.3). The command line does not follow by itself."""


def telling_fields(response: errors.FinalResponse, *more: str) -> dict[str, str] | None:
    """Those that the response has, and ``more``, by name; None when it has none."""
    status = response.status
    names = (*ALWAYS, *(REDIRECTION if 300 <= status < 400 else OF_STATUS.get(status, ())), *more)
    found = {name: ", ".join(response.headers.raw(name)) for name in names}
    return {name: value for name, value in found.items() if value} or None
