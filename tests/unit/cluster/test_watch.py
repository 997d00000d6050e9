"""Holds that a watch goes on whatever happens to it, and waits before it tries again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from reconciler.cluster.watch import beats
from reconciler.errors import ApiError, UnreachableError
from reconciler.limits import WATCH_RETRY_SECONDS, WATCH_RETRY_SECONDS_MOST

MODIFIED = b'{"type":"MODIFIED","object":{}}'
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}'


class Client:
    """Answers each watch with the next of `watches`: lines, and an error at their end if there is one."""

    def __init__(self, *watches: list[bytes | Exception]) -> None:
        self.watches = list(watches)
        self.queries: list[Any] = []
        self.waits: list[float] = []
        self.said: list[str] = []
        self.version = 0

    def request(self, method: str, path: str, body: Any, query: Any) -> dict[str, Any]:
        assert (method, path, body) == ("GET", "/things", None)
        assert query == {"fieldSelector": "metadata.name=one"}
        self.version += 1
        return {"metadata": {"resourceVersion": str(self.version)}}

    def lines(self, path: str, query: Any) -> Iterator[bytes]:
        assert path == "/things"
        self.queries.append(query)
        for line in self.watches.pop(0) if self.watches else []:
            if isinstance(line, Exception):
                raise line
            yield line

    def hear(self, count: int) -> None:
        """Take so many beats."""
        client: Any = self
        beating = beats(client, "/things", "one", self.said.append, self.waits.append)
        assert len(list(islice(beating, count))) == count


def test_it_beats_at_first_and_at_each_change() -> None:
    client = Client([MODIFIED, MODIFIED])
    client.hear(3)
    assert len(client.queries) == 1
    assert client.queries[0]["resourceVersion"] == "1"
    assert client.queries[0]["watch"] is True


@pytest.mark.parametrize("end", [[], [GONE], [b"half a li"], [UnreachableError("reset")], [OSError("no token")]])
def test_after_each_gap_it_lists_again_and_beats(end: list[bytes | Exception]) -> None:
    client = Client([MODIFIED, *end])
    heard_before_the_gap = 2 + sum(isinstance(one, bytes) for one in end)
    client.hear(heard_before_the_gap + 2)
    assert [query["resourceVersion"] for query in client.queries][:2] == ["1", "2"]
    assert client.waits[0] == WATCH_RETRY_SECONDS


def test_what_goes_on_failing_is_told_once_and_tried_ever_more_rarely() -> None:
    client = Client(*([ApiError("no right to watch", status=403)] for _ in range(10)))
    client.hear(11)
    assert len(client.said) == 1
    assert "no right to watch" in client.said[0]
    assert client.waits == sorted(client.waits)
    assert client.waits[-1] == WATCH_RETRY_SECONDS_MOST


def test_a_change_that_is_seen_makes_it_prompt_again() -> None:
    broken: list[bytes | Exception] = [UnreachableError("refused")]
    client = Client(broken, broken, broken, [MODIFIED])
    client.hear(6)
    assert client.waits[2] > client.waits[3] == WATCH_RETRY_SECONDS


def test_it_ends_where_its_pause_is_ended() -> None:
    client: Any = Client([UnreachableError("away")])
    ended = threading.Event()
    ended.set()
    assert len(list(beats(client, "/things", "one", client.said.append, ended.wait))) == 1
