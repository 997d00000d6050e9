"""The post-receive hook of the demo's repository: tells the receiver of each pushed ref, signed as GitHub signs.

`python -m setscrew.demo.hook URL SECRET_FILE REPOSITORY < "<old> <new> <ref>" lines`. The secret is read from a file,
so that it stands in no process list.
"""

from __future__ import annotations

import sys
import time
import urllib.request
import uuid
from pathlib import Path

from setscrew.delivering import Push, delivery


def main(url: str, secret_file: str, repository: str) -> int:
    """Send one event a ref; returns the exit status (a hook that fails does not undo the push)."""
    secret = Path(secret_file).read_bytes().strip()
    for line in sys.stdin:
        _, new, ref = line.split()
        headers, body = delivery("github", secret, Push(repository, ref, new, str(uuid.uuid4()), int(time.time())))
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the demo's own loopback address
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            sys.stderr.write(f"setscrew: {answer.status} {answer.read().decode()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
