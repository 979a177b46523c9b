"""Which of several processes a message belongs to: its Call-ID tells, and nothing else does.

A call is one process's from its INVITE to its last BYE, whoever sends what from which address. The Call-ID is
looked for in the octets: to parse a message that is another's would cost as much as to answer it.
"""

from __future__ import annotations

import random
import re
from hashlib import blake2b

from sipstack.identifiers import Identifiers

USUAL = b"\nCall-ID: "
ANY_FORM = re.compile(rb"\n(?:call-id|i)[ \t]*:(?:[ \t]|\r?\n[ \t])*([^\s]+)", re.IGNORECASE)
"""The compact form, any case, folded lines (RFC 3261 §7.3)."""


def call_id_of(data: bytes) -> bytes | None:
    """The first Call-ID of a message; None where there is none, such as in a keep-alive."""
    header = data.find(b"\r\n\r\n")
    header = len(data) if header < 0 else header
    begins = data.find(USUAL, 0, header)
    if begins >= 0:
        begins += len(USUAL)
        ends = data.find(b"\r\n", begins)
        if ends > begins and data[begins] > 32 and data[ends - 1] > 32:
            return data[begins:ends]
    found = ANY_FORM.search(data, 0, header)
    return None if found is None else found[1]


class Partition:
    """Deals Call-IDs out to ``count`` processes. ``key`` is theirs alone: nobody else can choose a Call-ID so
    that one process gets all the work.
    """

    __slots__ = ("_key", "count")

    def __init__(self, count: int, key: bytes) -> None:
        self.count = count
        self._key = key

    def owner(self, call_id: bytes) -> int:
        """The number of the process, from 0."""
        return int.from_bytes(blake2b(call_id, digest_size=8, key=self._key).digest()) % self.count


class OwnCallIds(Identifiers):
    """Identifiers of process ``number``: the Call-IDs that it gives out are its own, so that what is answered
    to its requests comes back to it.
    """

    __slots__ = ("_number", "_partition")

    def __init__(self, source: random.Random | None, partition: Partition, number: int) -> None:
        super().__init__(source)
        self._partition = partition
        self._number = number

    def call_id(self) -> str:
        while True:
            drawn = super().call_id()
            if self._partition.owner(drawn.encode()) == self._number:
                return drawn
