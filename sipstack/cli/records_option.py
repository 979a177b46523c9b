"""The option ``--records``: a signed record of each call in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Function = Callable[..., Any]


def records_option(function: Function) -> Function:
    """Give a command ``--records``, which it receives as ``records``."""
    kind = click.Path(dir_okay=False, path_type=Path)
    text = (
        "Keep a record of each call in FILE, chained and signed, for 'sipstack calls': JSON lines, or SQLite"
        " where FILE ends in .sqlite. Needs the extra 'sessions'."
    )
    return click.option("--records", type=kind, metavar="FILE", help=text)(function)
