"""What a registrar has told us of a binding of ours, for the requests outside of dialogs that follow."""

from __future__ import annotations

import attrs


@attrs.frozen
class Bound:
    """``routes``: the route set of our requests (RFC 3608 §6). ``gruu``: the URI that leads to this device
    from anywhere, which stands in our Contact (RFC 5627 §4.4); empty where there is none. ``outbound``:
    whether requests to us have to take the flow of the dialog's first request (RFC 5626 §4.3).
    """

    routes: tuple[str, ...] = ()
    gruu: str = ""
    outbound: bool = False

    def contact(self, address: str, *, secure: bool) -> str:
        """Our Contact URI in a dialog, where it would be ``address`` without this binding."""
        if self.gruu and self.gruu.lower().startswith("sips:") == secure:
            return self.gruu
        return f"{address};ob" if self.outbound else address
