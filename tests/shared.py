"""Where the shared conformance material lies, read in place and never copied."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2] / "shared"

# The names that the two RFCs give to their messages.
_RFC4475 = """
    wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 unreason
    noreason badinv01 clerr ncl scalar02 scalarlg quotbal ltgtruri lwsruri lwsstart trws escruri
    baddate regbadct badaspec baddn badvers mismatch01 mismatch02 bigcode badbranch insuf unkscm
    novelsc unksm2 bext01 invut regaut01 multi01 mcl01 bcast zeromf cparam01 cparam02 regescrt
    sdp01 inv2543
"""
_RFC5118 = """
    ipv6-good ipv6-bad port-ambiguous port-unambiguous via-received-param-with-delim
    via-received-param-no-delim ipv6-in-sdp mult-ip-in-header mult-ip-in-sdp ipv4-mapped-ipv6
    ipv6-bug-abnf-3-colons ipv6-correct-abnf-2-colons
"""
TORTURE = {"rfc4475": _RFC4475.split(), "rfc5118": _RFC5118.split()}


def absent(name: str) -> str:
    """The reason to skip a test that needs this file or folder."""
    return f"not beside this checkout: ../shared/{name}"


def torture_message(folder: str, name: str) -> bytes:
    """The octets of a torture message; skips the test where they are absent."""
    path = SHARED / folder / f"{name}.dat"
    if not path.is_file():
        pytest.skip(absent(folder if not path.parent.is_dir() else f"{folder}/{path.name}"))
    return path.read_bytes()


def torture_index(folder: str) -> list[dict[str, str]]:
    """The rows of a torture folder's index; empty where the folder is absent."""
    index = SHARED / folder / "index.tsv"
    if not index.is_file():
        return []
    with index.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def torture_parameters(folder: str, verdict: str = "") -> list[Any]:
    """One pytest parameter a torture message: its row of the index, or a skip where that is absent.

    With a ``verdict``, messages whose row has another one are left out.
    """
    rows = {row["name"]: row for row in torture_index(folder)}
    where = f"{folder}/index.tsv" if (SHARED / folder).is_dir() else folder
    skip = pytest.mark.skip(reason=absent(where))
    return [
        pytest.param(rows.get(name, {}), marks=() if name in rows else skip, id=name)
        for name in TORTURE[folder]
        if name not in rows or verdict in ("", rows[name]["verdict"])
    ]
