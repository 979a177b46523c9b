"""``python -m sipstack`` and the console script ``sipstack``."""

from __future__ import annotations

import sys

CLI_LIBRARIES = ("click", "rich")
MISSING = """\
The command line needs click and rich: pip install 'sipstack[cli]'
From a checkout: uvx --from '.[cli]' sipstack
"""


def main() -> int:
    """Run the command line; without its libraries, say how to get them."""
    try:
        from sipstack.cli.main import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in CLI_LIBRARIES:
            raise
        sys.stderr.write(MISSING)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
