"""Owns `python -m webhook.server`: settings from the environment, one line and a status above 1 for what is wrong."""

from __future__ import annotations

import sys

from reconciler.errors import SetscrewError
from webhook.server.main import settings_of_process
from webhook.server.serve import run


def main() -> int:
    """Serve; the exit status."""
    try:
        run(settings_of_process())
    except SetscrewError as error:
        sys.stderr.write(f"setscrew: {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
