"""Holds the page on objects in a cluster to their definitions, and its reasons to those that the code gives."""

from __future__ import annotations

import re

from reconciler.store.sources import SourceCondition
from setscrew.incluster import grant_objects, objects, statuses
from tests.support.tools import tool


def test_the_page_says_what_the_definitions_say() -> None:
    made = tool("generate_custom_resources")
    assert made.PAGE.read_text("utf-8") == made.page(), "run: .venv/bin/python tools/generate_custom_resources.py"


def test_each_reason_of_a_condition_is_on_the_page() -> None:
    page = tool("generate_custom_resources").PAGE.read_text("utf-8")
    table = page[page.index("## Conditions") : page.index("## GitSource")]
    states = set(SourceCondition.__args__) - {"Ready", "Unsupported"}
    reasons = {objects.INVALID, objects.DEFINED_TWICE, grant_objects.TOO_MANY, statuses.ACCEPTED, statuses.PUBLISHING}
    wanted = states | reasons | {"Enforced", "Watched", "Signed", "Followed", "InForce", "Waiting", "Ended", "Revoked"}
    assert wanted - set(re.findall(r"`(\w+)`", table)) == set()
