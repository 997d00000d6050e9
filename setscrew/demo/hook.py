"""The post-receive hook of the demo's repository: tells the receiver of each pushed ref, signed as GitHub signs.

`python -m setscrew.demo.hook URL SECRET_FILE REPOSITORY < "<old> <new> <ref>" lines`. The secret is read from a file,
so that it stands in no process list.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import urllib.request
import uuid
from pathlib import Path


def main(url: str, secret_file: str, repository: str) -> int:
    """Send one event a ref; returns the exit status (a hook that fails does not undo the push)."""
    secret = Path(secret_file).read_bytes().strip()
    for line in sys.stdin:
        old, new, ref = line.split()
        body = json.dumps(
            {
                "ref": ref,
                "before": old,
                "after": new,
                "deleted": set(new) == {"0"},
                "repository": {"clone_url": repository, "html_url": repository},
            }
        ).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        }
        request = urllib.request.Request(url, body, headers)  # noqa: S310 - the demo's own loopback address
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            sys.stderr.write(f"setscrew: {answer.status} {answer.read().decode()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
