"""Whether a chain is what its node has written: every entry, in its order, up to what was signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any

import attrs

from sipstack.errors import ParseError
from sipstack.records.chain import CALL, DROPPED, LOST, OPENED, ZERO, Entry
from sipstack.records.checkpoint import Checkpoint
from sipstack.records.findings import Findings, Line
from sipstack.records.sequences import Lines

HasSigned = Callable[[str, bytes, str], bool]
"""Whether this is the signature of that key, payload and signature."""
FORESEEN = 64
"""Unsigned entries that are usual, where the chain does not say it."""


@attrs.define
class Chain:
    """One chain as it was found: its lines, in order, and those of its checkpoints."""

    name: str
    lines: Lines
    signatures: Lines
    unreadable: set[int] = attrs.field(factory=set, init=False)
    """The positions of the lines that could not be read, by ``verify``."""
    marks: list[tuple[Line, Entry]] = attrs.field(factory=list, init=False)
    """The entries that are no calls, by ``verify``: they are few."""
    keys: set[str] = attrs.field(factory=set, init=False)
    """The keys whose signatures were good, by ``verify``."""

    @property
    def size(self) -> int:
        """The number of its entries."""
        return len(self.lines) - len(self.unreadable)

    @property
    def entries(self) -> Iterator[tuple[Line, Entry]]:
        """Those that could be read, read once more."""
        for _, line, entry in self.placed:
            yield line, entry

    @property
    def placed(self) -> Iterator[tuple[int, Line, Entry]]:
        """The same, with the positions of their lines."""
        for position, line in enumerate(self.lines):
            if position not in self.unreadable:
                yield position, line, Entry.read_again(line.octets)

    @property
    def nodes(self) -> set[str]:
        """The nodes that say that it is theirs."""
        opened = [entry.body.get("node") for _, entry in self.marks if entry.kind == OPENED]
        return {node for node in opened if isinstance(node, str)}


def verify(chain: Chain, has_signed: HasSigned, findings: Findings) -> None:
    """Look at every line of ``chain``, and tell ``findings``."""
    hashes = _Links(chain, findings).look()
    signed = _Signatures(chain, hashes, has_signed, findings).look()
    _beginning(chain, signed, findings)
    _end(chain, signed, findings)
    for line, entry in chain.marks:
        _tell(line, entry, findings)


def _tell(line: Line, entry: Entry, findings: Findings) -> None:
    """What the chain itself says that an auditor should know."""
    if entry.kind == LOST:
        findings.told("lost", f"{entry.body.get('calls')} calls could not be written", line)
    elif entry.kind == OPENED:
        torn, unsigned = entry.body.get("torn"), entry.body.get("unsigned")
        if torn:
            findings.told("torn", f"{torn} octets before it were no whole line: the process had died", line)
        if unsigned:
            text = f"the {unsigned} entries before it were not signed in their time: the process had died"
            findings.told("unsigned", text, line)


class _Links:
    """Each entry holds the hash of the one before."""

    def __init__(self, chain: Chain, findings: Findings) -> None:
        self._chain = chain
        self._findings = findings
        self._hashes: dict[int, bytes] = {}
        self._numbers: set[int] = set()

    def look(self) -> dict[int, bytes]:
        """The hashes by number, as ``_short`` gives them."""
        chain = self._chain
        for position, line in enumerate(chain.lines):
            entry = self._read(line, last=position == len(chain.lines) - 1)
            if entry is None:
                chain.unreadable.add(position)
            elif entry.kind != CALL:
                chain.marks.append((line, entry))
        expected: int | None = None
        for line, entry in chain.entries:
            expected = self._follow(line, entry, expected)
        return self._hashes

    def _read(self, line: Line, *, last: bool) -> Entry | None:
        findings = self._findings
        if not line.whole and last:
            findings.told("torn", "the last line is not whole: its process died while it wrote it", line)
            return None
        try:
            entry = Entry.read(line.octets)
        except ParseError as error:
            findings.wrong("changed", str(error), line)
            return None
        if entry.reckoned() != entry.hash:
            findings.wrong("changed", f"entry {entry.number} is not what was hashed", line)
        return entry

    def _follow(self, line: Line, entry: Entry, expected: int | None) -> int:
        """Returns the number that is due next."""
        findings, number = self._findings, entry.number
        if entry.chain != self._chain.name:
            findings.wrong("forged", f"entry {number} is of another chain", line)
        if number in self._hashes:
            findings.wrong("forged", f"there was an entry {number} before", line)
            return number + 1
        if expected is not None and number < expected:
            findings.wrong("reordered", f"entry {number} comes after entry {expected - 1}", line)
        elif expected is not None and number > expected:
            self._jumped(line, number, expected)
        before = self._hashes.get(number - 1)
        if before is not None and _short(entry.before) != before:
            findings.wrong("changed", f"entry {number} does not continue entry {number - 1}", line)
        self._hashes[number] = _short(entry.hash)
        return max(number + 1, expected or 0)

    def _jumped(self, line: Line, number: int, expected: int) -> None:
        if not self._numbers:
            self._numbers = {entry.number for _, entry in self._chain.entries}
        numbers = self._numbers
        missing = [each for each in range(expected, min(number, expected + 1000)) if each not in numbers]
        if not missing:
            self._findings.wrong("reordered", f"entry {number} comes before entry {expected}", line)
        elif len(missing) == 1:
            self._findings.wrong("gap", f"entry {missing[0]} is missing before this one", line)
        else:
            span = f"{missing[0]} to {number - 1}"
            self._findings.wrong("gap", f"entries {span} are missing before this one", line)


class _Signatures:
    """Each checkpoint is signed, and says what the chain says."""

    def __init__(
        self, chain: Chain, hashes: dict[int, bytes], has_signed: HasSigned, findings: Findings
    ) -> None:
        self._chain = chain
        self._hashes = hashes
        self._has_signed = has_signed
        self._findings = findings
        self._cut = False
        self._last = max(hashes, default=-1)

    def look(self) -> Checkpoint | None:
        """The last one that is good."""
        last: Checkpoint | None = None  # that could be read
        good: Checkpoint | None = None
        for line in self._chain.signatures:
            if not line.whole:
                self._findings.told("torn", "the last signature is not whole", line)
                break
            try:
                checkpoint = Checkpoint.read(line.octets)
            except ParseError as error:
                self._findings.wrong("signature", str(error), line)
                continue
            self._place(line, checkpoint, last)
            last = checkpoint
            if self._is_good(line, checkpoint):
                good = checkpoint
        if last is None:
            self._findings.wrong("signature", f"nothing of the chain {self._chain.name} is signed")
        return good

    def _place(self, line: Line, checkpoint: Checkpoint, last: Checkpoint | None) -> None:
        serial, before = (0, ZERO) if last is None else (last.serial + 1, last.digest)
        if checkpoint.serial != serial:
            found = f"signature {checkpoint.serial} stands where {serial} is due"
            self._findings.wrong("signature", found, line)
        elif checkpoint.before != before:
            self._findings.wrong("signature", "it does not continue the signature before", line)

    def _is_good(self, line: Line, checkpoint: Checkpoint) -> bool:
        findings, number = self._findings, checkpoint.number
        if not self._has_signed(checkpoint.key, checkpoint.payload, checkpoint.signature):
            findings.wrong("signature", f"the signature of entry {number} is not good", line)
            return False
        if checkpoint.chain != self._chain.name:
            findings.wrong("signature", "it is of another chain", line)
            return False
        self._chain.keys.add(checkpoint.key)
        known = self._hashes.get(number)
        if known is not None and known != _short(checkpoint.hash):
            findings.wrong("changed", f"entry {number} is not the one that was signed", line)
        elif known is None and number > self._last and not self._cut:
            self._cut = True
            findings.wrong("cut", f"entry {number} was signed and is not there: the end was cut off", line)
        return True


def _beginning(chain: Chain, signed: Checkpoint | None, findings: Findings) -> None:
    """A chain begins with its first entry, or where its node has said that it dropped what was before."""
    line, first = next(chain.entries, (None, None))
    if first is None:
        return
    if first.number == 0:
        if first.kind != OPENED or first.before != ZERO:
            findings.wrong("forged", "the first entry does not open the chain", line)
        return
    vouched = [entry for _, entry in chain.marks if signed is not None and entry.number <= signed.number]
    for entry in reversed(vouched):
        if entry.kind == DROPPED and _reaches(entry.body, first):
            findings.told("dropped", f"the entries before {first.number} were dropped by their node", line)
            return
    findings.wrong("gap", f"the entries before {first.number} are missing", line)


def _reaches(body: dict[str, Any], first: Entry) -> bool:
    return body.get("last") == first.number - 1 and body.get("hash") == first.before


def _end(chain: Chain, signed: Checkpoint | None, findings: Findings) -> None:
    """What stands behind the last signature."""
    if signed is None or not chain.size:
        return
    tail = _Tail()
    for line, entry in chain.entries:
        if entry.number > signed.number:
            tail.take(line, entry)
    if tail.first is None:
        if not signed.end:
            findings.told("open", f"the chain {chain.name} was not ended: there may be more of it")
        return
    line, first = tail.first
    if signed.end and first.kind != OPENED:
        findings.wrong("forged", f"entry {first.number} comes after the signed end", line)
    elif tail.forged is not None:
        line, entry = tail.forged
        findings.wrong("forged", f"entry {entry.number} is of somebody who could not sign", line)
    elif tail.others > _foreseen(chain, signed):
        findings.wrong("signature", f"signatures are missing: the last one is of entry {signed.number}", line)
    else:
        text = f"the last {tail.size} entries are not signed: the process runs, or was killed"
        findings.told("unsigned", text, line)


@attrs.define
class _Tail:
    """The entries that no signature covers."""

    first: tuple[Line, Entry] | None = None
    forged: tuple[Line, Entry] | None = None
    """After one that opens: a process signs that it begins before it writes anything else."""
    size: int = 0
    others: int = 0
    """Those that do not open."""

    def take(self, line: Line, entry: Entry) -> None:
        self.first = self.first or (line, entry)
        opens = entry.kind == OPENED
        if not opens and self.size > self.others and self.forged is None:
            self.forged = line, entry
        self.size += 1
        self.others += not opens


def _foreseen(chain: Chain, signed: Checkpoint) -> int:
    """How many entries may be without a signature: what the signed part of the chain says of that."""
    said = [
        entry.body.get("every")
        for _, entry in chain.marks
        if entry.kind == OPENED and entry.number <= signed.number
    ]
    return said[-1] if said and isinstance(said[-1], int) else FORESEEN


def _short(text: str) -> bytes:
    """A hash as it is remembered, one for each entry: whatever stands in its place is as long."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
