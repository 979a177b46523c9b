"""Which device a binding is of, and which of its flows (RFC 5626 §4.1, §4.2)."""

from __future__ import annotations

import attrs


@attrs.frozen
class Instance:
    """``urn``: the instance-id, the same for all registrations of a device, also after it was restarted.
    ``reg_id``: the number of the flow, from 1, where the binding belongs to its flow (outbound).
    """

    urn: str
    reg_id: int | None = None

    @property
    def parameters(self) -> str:
        """The parameters of our Contact in a REGISTER."""
        flow = "" if self.reg_id is None else f";reg-id={self.reg_id}"
        return f';+sip.instance="<{self.urn}>"{flow}'

    @property
    def supported(self) -> str:
        """The option tags of a REGISTER (RFC 5626 §4.2.1, RFC 5627 §4.2)."""
        return "path, gruu" if self.reg_id is None else "path, outbound, gruu"
