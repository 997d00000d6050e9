"""What may be secret is found in an object by names, and in a text by the lines of its values."""

from __future__ import annotations

from reconciler.render.yaml_loader import load_documents
from setscrew.into_git.hidden import hidden_nodes, hidden_values
from setscrew.into_git.nodes import documents

TEXT = """\
kind: Thing
spec:
  settings:
  - {name: MODE, value: plain}
  - name: DB_PASSWORD
    value: |
      one
      two
---
kind: Secret
metadata: {name: db}
stringData:
  password: three
data: {other: Zm91cg==}
"""


def test_values_are_known_by_the_name_beside_them() -> None:
    first, second = (one.tree for one in load_documents(TEXT.encode(), "text"))
    assert hidden_values(first) == ["one\ntwo\n"]
    assert hidden_values(second) == []
    assert hidden_values({"list": [{"name": "API_TOKEN", "value": "x"}, {"name": "API_TOKEN", "valueFrom": {}}]}) == [
        "x"
    ]


def test_the_values_are_found_in_the_text() -> None:
    trees = [one.tree for one in load_documents(TEXT.encode(), "text")]
    found = [node for one, tree in zip(documents(TEXT), trees, strict=True) for node in hidden_nodes(one.root, tree)]
    assert [TEXT[node.start : node.end].split() for node in found] == [
        ["|", "one", "two"],
        ["password:", "three"],
        ["{other:", "Zm91cg==}"],
    ]
