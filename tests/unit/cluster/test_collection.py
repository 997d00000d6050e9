"""Holds that nothing of a kind is missed or stays behind, whatever happens to lists and watches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from reconciler.cluster.collection import Change, Changed, Collection, Deleted, Listed, Unread
from reconciler.errors import ApiError, UnreachableError
from reconciler.limits import WATCH_PROBE_SECONDS, WATCH_RETRY_SECONDS, WATCH_RETRY_SECONDS_MOST, WATCH_SECONDS
from reconciler.model.ref import KindInfo, ObjectRef

KIND = KindInfo("apps", "v1", "Deployment", "deployments", namespaced=True)
GONE = b'{"type":"ERROR","object":{"kind":"Status","code":410}}'


def item(name: str, version: int = 1, value: int = 0) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "resourceVersion": str(version)}, "spec": value}


def event(kind: str, name: str = "a", version: int = 9, value: int = 0) -> bytes:
    return json.dumps({"type": kind, "object": item(name, version, value)}).encode()


def page(*names: str, version: int = 5, token: str = "") -> dict[str, Any]:
    more = {"continue": token} if token else {}
    return {"items": [item(name) for name in names], "metadata": {"resourceVersion": str(version), **more}}


def ref(name: str) -> ObjectRef:
    return ObjectRef("apps", "Deployment", "shop", name)


class Server:
    """Answers each list with the next of `lists` (the last one again and again), each watch with one of `watches`."""

    def __init__(self, lists: list[dict[str, Any] | Exception], *watches: list[bytes | Exception]) -> None:
        self.lists, self.watches = lists, list(watches)
        self.queries: list[dict[str, Any]] = []
        self.waits: list[float] = []

    def request(self, method: str, path: str, *, query: dict[str, Any]) -> dict[str, Any]:
        assert (method, path) == ("GET", "/apis/apps/v1/deployments")
        self.queries.append(query)
        answer = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lines(self, path: str, query: dict[str, Any]) -> Iterator[bytes]:
        assert path == "/apis/apps/v1/deployments"
        self.queries.append(query)
        for line in self.watches.pop(0) if self.watches else []:
            if isinstance(line, Exception):
                raise line
            yield line

    def hear(self, count: int) -> list[Change[int]]:
        """The first changes."""
        client: Any = self

        def pause(seconds: float) -> bool:
            self.waits.append(seconds)
            return len(self.waits) > 50

        return list(islice(Collection(client, KIND, lambda tree: tree["spec"], pause).changes(), count))

    @property
    def lists_asked(self) -> int:
        return sum("limit" in query for query in self.queries)

    @property
    def watched_from(self) -> list[str]:
        return [query["resourceVersion"] for query in self.queries if "watch" in query]


def test_it_lists_all_pages_and_watches_from_there() -> None:
    server = Server([page("a", token="next"), page("b", version=7)], [event("MODIFIED", "a", 8, 3)])
    assert server.hear(2) == [Listed({ref("a"): 0, ref("b"): 0}), Changed(ref("a"), 3)]
    assert [query.get("continue") for query in server.queries if "limit" in query] == [None, "next"]
    assert server.watched_from == ["7"]


def test_what_is_kept_is_made_of_the_whole_object_with_its_kind() -> None:
    client: Any = Server([page("a")])
    (first,) = islice(Collection(client, KIND, lambda tree: tree).changes(), 1)
    assert first == Listed({ref("a"): {"apiVersion": "apps/v1", "kind": "Deployment", **item("a")}})


def test_additions_changes_and_deletions_are_told_and_bookmarks_are_not() -> None:
    server = Server([page()], [event("ADDED", "a"), event("BOOKMARK"), event("MODIFIED", "a", 9, 2), event("DELETED")])
    assert server.hear(4)[1:] == [Changed(ref("a"), 0), Changed(ref("a"), 2), Deleted(ref("a"))]


@pytest.mark.parametrize("end", [[], [UnreachableError("reset")], [b"half a li"], [ApiError("busy", status=429)]])
def test_a_watch_that_ends_is_resumed_where_it_was_without_a_list(end: list[bytes | Exception]) -> None:
    server = Server([page()], [event("BOOKMARK", version=12), *end], [event("ADDED", "a", 13)])
    assert server.hear(2)[1:] == [Changed(ref("a"), 0)]
    assert (server.lists_asked, server.watched_from) == (1, ["5", "12"])


@pytest.mark.parametrize("end", [GONE, ApiError("too old", status=410)])
def test_where_the_version_is_too_old_all_is_listed_anew(end: bytes | Exception) -> None:
    server = Server([page("a"), page("b", version=20)], [end], [event("DELETED", "b", 21)])
    assert server.hear(3) == [Listed({ref("a"): 0}), Listed({ref("b"): 0}), Deleted(ref("b"))]
    assert server.watched_from == ["5", "20"]


def test_a_list_that_the_server_forgets_between_two_pages_begins_again() -> None:
    server = Server([page("gone", token="next"), ApiError("too old", status=410), page("b")])
    assert server.hear(1) == [Listed({ref("b"): 0})]


def test_it_ends_where_the_kind_is_not_served_any_more() -> None:
    server = Server([page("a")], [ApiError("the server could not find it", status=404)])
    assert server.hear(5) == [Listed({ref("a"): 0})]


def test_it_ends_when_the_pause_says_so() -> None:
    assert len(Server([page()]).hear(5)) == 1


def test_a_refusal_is_told_at_once_and_once() -> None:
    server = Server([ApiError("pods is forbidden", status=403)])
    assert server.hear(5) == [Unread("pods is forbidden")]
    assert server.waits[:3] == [WATCH_RETRY_SECONDS * 2**step for step in range(3)]
    assert server.waits[-1] == WATCH_RETRY_SECONDS_MOST


def test_what_was_refused_and_is_not_any_more_is_listed() -> None:
    assert Server([ApiError("no", status=403), page("a")]).hear(2) == [Unread("no"), Listed({ref("a"): 0})]


def test_a_refused_watch_asks_for_no_list_until_a_short_watch_proves_that_it_works_again() -> None:
    no = ApiError("no right to watch", status=403)
    server = Server([page("a"), page("b")], [no], [no], [])
    assert server.hear(3) == [Listed({ref("a"): 0}), Unread("no right to watch"), Listed({ref("b"): 0})]
    asked = [query.get("timeoutSeconds", "list") for query in server.queries]
    assert asked == ["list", WATCH_SECONDS, WATCH_PROBE_SECONDS, WATCH_PROBE_SECONDS, "list"]


def test_a_server_that_does_not_answer_is_waited_for_before_what_is_known_is_called_old() -> None:
    down: list[bytes | Exception] = [UnreachableError("refused")]
    server = Server([page("a"), UnreachableError("refused"), page("b")], *[down] * 8)
    assert server.hear(3) == [Listed({ref("a"): 0}), Unread("refused"), Listed({ref("b"): 0})]
    assert WATCH_RETRY_SECONDS_MOST in server.waits
    assert server.waits == sorted(server.waits)


def test_whatever_is_not_an_object_ends_nothing() -> None:
    odd: list[dict[str, Any] | Exception] = [{"items": ["?"]}, {"items": [{"metadata": None}]}, page("a")]
    assert Server(odd).hear(1) == [Listed({ref("a"): 0})]


def test_an_object_that_is_nested_without_end_hides_no_other() -> None:
    deep = "[" * 1_500 + "]" * 1_500
    line = event("ADDED", "deep", 6).replace(b'"spec": 0', b'"spec": ' + deep.encode())
    found = Server([page(version=5)], [line, event("ADDED", "other", 7, 3)]).hear(3)
    assert [one.ref for one in found if isinstance(one, Changed)] == [ref("deep"), ref("other")]
