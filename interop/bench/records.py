"""How large the record of a session is, and what it takes to write and read it.

python -m interop.bench.records
"""

from __future__ import annotations

import argparse
import json
import sys
import timeit
from collections.abc import Callable

from sipstack.store.compressed import compress, decompress
from sipstack.store.record import decode, encode
from sipstack.usage.invite.record import SessionRecord
from tests.store.records import from_a_browser, through_a_proxy

ROUNDS, REPEATED = 2_000, 7


def microseconds(work: Callable[[], object]) -> float:
    """The best of several rounds: what disturbs only adds."""
    return min(timeit.repeat(work, number=ROUNDS, repeat=REPEATED)) / ROUNDS * 1e6


def measure(name: str, record: SessionRecord) -> None:
    values = record.as_values()
    octets = encode(values)
    small = compress(octets)
    work: dict[str, Callable[[], object]] = {
        "as_values": record.as_values,
        "encode": lambda: encode(values),
        "decode": lambda: decode(octets),
        "of_values": lambda: SessionRecord.of_values(values),
        "compress": lambda: compress(octets),
        "decompress": lambda: decompress(small),
    }
    sizes = f"{len(octets)} octets, compressed {len(small)}, as JSON {len(json.dumps(values))}"
    times = "  ".join(f"{each} {microseconds(work[each]):.1f} us" for each in work)
    sys.stdout.write(f"{name}: {sizes}\n  {times}\n")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    measure("G.711 through a proxy", through_a_proxy())
    measure("a browser's call", from_a_browser())


if __name__ == "__main__":
    main()
