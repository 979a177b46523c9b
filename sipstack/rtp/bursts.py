"""How losses lie: in bursts, or alone in the gaps between these (RFC 3611 §4.7.2)."""

from __future__ import annotations

import attrs

GMIN = 16
"""Packets in a row that must have come between two losses, to end a burst: the recommended value."""


@attrs.frozen
class Pattern:
    """Densities are shares of packets, 0 to 1; lengths are packets, on average."""

    burst_density: float
    gap_density: float
    burst_length: float
    gap_length: float


class Bursts:
    """Counts the transitions of the four states of RFC 3611's model, whenever something is lost."""

    __slots__ = ("_between", "_ends", "_gap", "_in_row", "_received", "_single", "_together")

    def __init__(self) -> None:
        self._in_row = 0  # losses of the present burst
        self._ends = 0  # c13: bursts
        self._gap = 0  # c11: received in gaps
        self._single = 0  # c14: lost in gaps
        self._received = 0  # c22: received in bursts, one after the other
        self._between = 0  # c23: losses in a burst after some that came
        self._together = 0  # c33: losses in a burst after another

    def lost(self, received: int, count: int = 1) -> None:
        """``count`` packets are lost in a row, ``received`` ones after the loss before them."""
        if received >= GMIN or not self._in_row:
            if self._in_row == 1:
                self._single += 1
            elif self._in_row:
                self._ends += 1
            self._in_row = 1
            self._gap += received
        else:
            self._in_row += 1
            if received:
                self._between += 1
                self._received += received - 1
            else:
                self._together += 1
        self._in_row += count - 1
        self._together += count - 1

    def pattern(self, received: int) -> Pattern:
        """All of it, when ``received`` have come since the last loss."""
        ends, single, gap = self._ends, self._single, self._gap
        if received >= GMIN:
            gap += received
        if self._in_row > 1:
            ends += 1
        else:
            single += self._in_row
        in_gaps = gap + single
        gap_density = single / in_gaps if in_gaps else 0.0
        if not ends:
            return Pattern(0.0, gap_density, 0.0, float(in_gaps))
        out = self._between / (ends + self._between + self._together)
        back = 1.0
        if self._received:
            back -= self._received / (self._received + self._between)
        in_bursts = self._received + 2 * self._between + ends + self._together
        return Pattern(back / (back + out), gap_density, in_bursts / ends, (in_gaps + ends) / ends)
