"""No store at all: a session is sealed into our Contact, and comes back with every request of its peer."""

from __future__ import annotations

import binascii
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable

from sipstack.errors import StoreError
from sipstack.outcome import Opened
from sipstack.store.key_ring import KeyRing, Keys
from sipstack.store.packing import pack, unpack

NODES = 64
"""Nodes that may share the keys."""
FORM = 0x20
"""The first octet: the version of all that follows, and what it is bound to."""
STATE, BEGUN = bytes((FORM,)), bytes((FORM + 1,))
HEAD = 15
"""Octets before the ciphertext: form, id of the key (2), nonce (12)."""
TAG = 16
TIMES = 6
"""Octets of when it was sealed (4), and for how long (2)."""
UNIT = 16
"""Seconds in which the lifetime is counted."""
SHORTEST = (HEAD + TIMES + TAG) * 4 // 3
LONGEST = 512

DialogKey = tuple[str, str, str]


class Sealed:
    """Sessions in what the peer sends back: encrypted, so that nobody reads them, and authentic, so that what
    was changed, cut, mixed up or made by others opens for nobody (AES-256-GCM).

    ``keys``: a file that only its owner may read (0600), with one key a line (``openssl rand -hex 32``); or a
    list of keys of 32 octets. The first seals, all of them open: a new key is first added to all nodes at the
    end, then put first, and the old one is taken away when its calls are over. A key is to be replaced before
    it has sealed 2**32 times. ``node``: the number of this process among those that share the keys, from 0 to
    63; no two may have the same at a time, or their requests may get the same CSeq. Raises StoreError.

    Its promise. Whoever has the keys goes on with a call as it was when the peer last took our Contact: with
    our 2xx, with a re-INVITE of ours, or with the UPDATE that follows a change of ours a moment later. A call
    that we have placed is complete with the first UPDATE (or re-INVITE) after its 2xx; before that, and while
    the answer to a late offer is on its way, another node answers BYE and OPTIONS, and puts off the rest.
    Who takes a new Contact from INVITEs of ours alone, as linphone, SIP.js and JsSIP do, shows that by an
    answer to UPDATE without one, or by a request to an older one, and gets a re-INVITE: until then the state
    is that of the Contact which it has. A peer is asked to be the one who refreshes, for after a crash nobody
    does in our place.

    What it cannot do. Nobody knows who else goes on with a call: a node remembers for 64*T1 what is over, so
    that it does not come back there; another node, to which an old request is sent once more, would bring it
    back until its session timer runs out. An older seal of the same dialog opens as well, as long as its time
    lasts; a request whose CSeq is not above the one in it is refused, but who can read the peer's requests
    and write in its name can give it a higher one, as in any call without TLS. Requests by which we change
    nothing, such as an INFO that was dealt with just before the crash, may be taken a second time. From and
    To are those of the request. Of a call whose state does not fit into a Contact of 512 octets, since it has
    much ``call.data`` perhaps, another node answers BYE and OPTIONS alone; where our Contact is a GRUU,
    nothing. The log tells of the first such call. A usual call takes 200 to 270 characters, that of a browser
    some 330.
    """

    __slots__ = ("_clock", "_random", "_ring", "node")

    def __init__(
        self,
        keys: Keys,
        node: int = 0,
        *,
        clock: Callable[[], float] = time.time,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        if not 0 <= node < NODES:
            raise StoreError(f"the number of a node is from 0 to {NODES - 1}")
        self.node = node
        self._clock = clock
        self._random = random
        self._ring = KeyRing(keys)

    def __repr__(self) -> str:
        return f"<Sealed by node {self.node}>"

    def rotate(self, keys: Keys) -> None:
        """Other keys from now on. Raises StoreError, and then the old ones stay."""
        self._ring = KeyRing(keys)

    # -- the core's port -----------------------------------------------------------------------------------

    def seal(self, key: DialogKey, values: object, lifetime: float, room: int) -> str:
        """``values`` as a user part of at most ``room`` characters; empty where they do not fit. Raises
        LocalProtocolError for values that are not plain.
        """
        return self._seal(STATE, key, lifetime, pack(values), room)

    def begin(self, call_id: str, local_tag: str, lifetime: float, room: int) -> str:
        """The same of a call that has no peer yet, and nothing to be told of."""
        return self._seal(BEGUN, (call_id, local_tag, ""), lifetime, b"", room)

    def open(self, user: str, key: DialogKey) -> Opened | None:
        """What ``user`` holds, where it was sealed with one of our keys for this dialog, and in time. Raises
        ParseError for what was, and can still not be read: by another version of ours.
        """
        octets = _octets(user)
        if octets is None:
            return None
        form = octets[:1]
        cipher = self._ring.find(octets[1:3])
        if cipher is None or form not in (STATE, BEGUN):
            return None
        if form == BEGUN:
            key = (key[0], key[1], "")
        text = cipher.decrypt(octets[3:HEAD], octets[HEAD:], _bound(octets[:3], key))
        if text is None:
            return None
        age = self._clock() - int.from_bytes(text[:4], "big")
        if age > int.from_bytes(text[4:TIMES], "big") * UNIT:
            return None
        return Opened(None if form == BEGUN else unpack(text[TIMES:]), max(age, 0.0))

    def _seal(self, form: bytes, key: DialogKey, lifetime: float, body: bytes, room: int) -> str:
        octets = HEAD + TIMES + len(body) + TAG
        if (octets * 4 + 2) // 3 > room:
            return ""
        written = max(int(self._clock()), 0) & 0xFFFFFFFF
        times = written.to_bytes(4, "big") + min(int(lifetime) // UNIT + 1, 0xFFFF).to_bytes(2, "big")
        ring = self._ring
        cipher = ring.find(ring.first)
        assert cipher is not None
        open_, nonce = form + ring.first, self._random(12)
        data = cipher.encrypt(nonce, times + body, _bound(open_, key))
        return urlsafe_b64encode(open_ + nonce + data).rstrip(b"=").decode()


def _bound(head: bytes, key: DialogKey) -> bytes:
    """What a seal is bound to: each part with its length, so that none can be moved into the next."""
    parts = [part.encode("utf-8", "surrogateescape") for part in key]
    return head + b"".join(b"%d:%s" % (len(part), part) for part in parts)


def _octets(user: str) -> bytes | None:
    """The octets of a user part of ours. There is one text for them, and no other is taken."""
    if not SHORTEST <= len(user) <= LONGEST:
        return None
    try:
        text = user.encode("ascii")
        octets = binascii.a2b_base64(text.translate(_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True)
    except ValueError:
        return None
    return octets if urlsafe_b64encode(octets).rstrip(b"=") == text else None


_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
