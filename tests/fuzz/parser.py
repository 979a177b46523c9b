"""``python -m tests.fuzz.parser --seconds 600``: look for octets that break a promise of the parser.

With atheris installed, coverage guides the search; without, seeds are mutated at random.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOKENS = [bytes((octet,)) for octet in b'\r\n\t\0\xff :;,=<>"\\%@?*/()']
TOKENS += [b"\r\n ", b"\r\n\r\n", b"%41", b"[::1]", b"sip:", b"tel:", b"SIP/2.0", b"\xc3\xbc", b"4294967296"]
TOKENS += [b"tag=", b"branch=", b"rport", b"l: ", b"m: ", b"Via: ", b"Content-Length: ", b"Contact: "]
TOKENS += [b"Date: ", b"Retry-After: ", b"To: ", b"CSeq: ", b"-1"]


def mutated(seed: bytes, seeds: list[bytes], source: random.Random) -> bytes:
    """``seed`` with one to four changes."""
    data = bytearray(seed)
    for _ in range(source.randint(1, 4)):
        start = source.randint(0, len(data))
        end = min(len(data), start + source.choice((0, 1, 2, 8, 40)))
        other = source.choice(seeds)
        cut = source.randint(0, len(other))
        data[start:end] = source.choice(
            (
                b"",
                source.choice(TOKENS),
                source.randbytes(2),
                bytes(data[start:end]) * 2,
                other[cut : cut + 60],
            )
        )
    return bytes(data)


def search(seconds: float, seed: int = 0) -> int:
    """Random mutation for that time; returns the number of inputs. A broken promise raises its error."""
    harness = importlib.import_module("tests.fuzz.harness")
    source = random.Random(seed)
    seeds: list[bytes] = harness.corpus()
    count = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(source.choice(seeds), seeds, source)
        try:
            harness.one_input(data)
        except Exception as error:
            raise AssertionError(f"a promise is broken by {data!r}") from error
        count += 1
    return count


def search_with_coverage(atheris: Any, seconds: int) -> None:
    """Guided search; ends the process when done or when an input breaks a promise."""
    with atheris.instrument_imports(include=["sipstack.message"]):
        harness = importlib.import_module("tests.fuzz.harness")
    folder = Path(tempfile.mkdtemp(prefix="sipstack-fuzz-"))
    for number, seed in enumerate(harness.corpus()):
        (folder / f"seed{number}").write_bytes(seed)
    dictionary = folder.with_suffix(".dict")
    escaped = ("".join(f"\\x{octet:02x}" for octet in token) for token in TOKENS)
    dictionary.write_text("".join(f'"{token}"\n' for token in escaped))
    options = (f"-max_total_time={seconds}", "-max_len=4096", f"-dict={dictionary}", "-print_final_stats=1")
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={folder}/", str(folder)], harness.one_input)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--random", action="store_true", help="mutate at random although atheris is there")
    arguments = parser.parse_args()
    try:
        atheris = None if arguments.random else importlib.import_module("atheris")
    except ImportError:
        atheris = None
    if atheris is not None:
        search_with_coverage(atheris, arguments.seconds)
    else:
        sys.stdout.write(f"{search(arguments.seconds)} inputs, no promise broken\n")


if __name__ == "__main__":
    main()
