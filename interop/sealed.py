"""Whether a peer gives a long user part of our Contact back as it was: what sealed sessions live by."""

from __future__ import annotations

import random
from collections.abc import Sequence

from interop.kamailio.traces import messages, requests
from sipstack import Request, TracedMessage
from sipstack.message import SipUri
from sipstack.store.sealed import Sealed

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
LENGTHS = (100, 470, 1000, 2000)
"""Characters: with scheme, address and port 470 make a URI of some 500, which is what we write at the most.
All of them come back unharmed from each peer that is tested: Asterisk 22, baresip 1.0, linphone 5.1, SIP.js
0.21 and JsSIP 3.13; 1,000 through Kamailio 5.6, which does not survive a URI of 1,500 to which it has added
an alias. From Asterisk 4,000 do, too.
"""


class Letters(Sealed):
    """Seals that hold nothing, and are so long."""

    def __init__(self, length: int) -> None:
        super().__init__([bytes(32)])
        self._length = length

    def seal(self, key: tuple[str, str, str], values: object, lifetime: float, room: int) -> str:
        """Letters out of which a session is not to be had."""
        return "".join(random.choices(ALPHABET, k=self._length))

    def begin(self, call_id: str, local_tag: str, lifetime: float, room: int) -> str:
        """The same."""
        return self.seal((call_id, local_tag, ""), None, lifetime, room)


def given_back(trace: Sequence[TracedMessage], length: int, method: str = "") -> bool:
    """Whether the peer's BYE came to the user that we told it last, which is so long; ``method``: that our
    last request of this kind told.
    """
    tellers = [each for each in messages(trace, sent=True) if "Contact" in each.headers]
    if method:
        tellers = [each for each in tellers if isinstance(each, Request) and each.method == method]
    told = [each.contacts[0].uri for each in tellers]
    (bye,) = requests(trace, "BYE", sent=False)
    assert isinstance(bye.uri, SipUri)
    assert isinstance(told[-1], SipUri)
    return bye.uri.user == told[-1].user and len(told[-1].user or "") == length
