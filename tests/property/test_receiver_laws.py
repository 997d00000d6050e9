"""Laws of the judgement of deliveries: it never raises, never accepts what is unproven, and takes refs as git does."""

from __future__ import annotations

import json
import subprocess
from typing import Any
from urllib.parse import urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from setscrew.delivering import Push, delivery, proof
from webhook.api.providers import PROVIDERS, judge
from webhook.api.providers.delivery import Delivery
from webhook.api.providers.names import full_ref
from webhook.api.urls import normal_url

NOW = 1_795_000_000
SECRET = b"hooks:0123456789abcdef"
PUSH = Push("https://git.example.com/a/b.git", "refs/heads/main", "a" * 40, "d-1", NOW)
HEADERS = sorted({name for one in PROVIDERS for name in delivery(one, SECRET, PUSH)[0]} | {"webhook-signature"})
providers = st.sampled_from(sorted(PROVIDERS))
texts = st.text(max_size=40) | st.sampled_from(
    ["", "sha256=", "v1,", "Basic ", "push", "ping", "create", "System Hook"]
)
headers = st.dictionaries(st.sampled_from(HEADERS) | texts, texts, max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=8,
)


@given(providers, headers, st.binary(max_size=200))
def test_what_is_not_proven_is_never_accepted_and_nothing_is_raised(
    provider: str, sent: dict[str, str], body: bytes
) -> None:
    verdict = judge(provider, (SECRET,), sent, body, NOW)
    assert (verdict.result, verdict.fault) == ("reject", "proof")


@given(providers, headers, st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_proven_has_a_verdict(provider: str, sent: dict[str, str], body: bytes) -> None:
    known = {name.lower() for name in proof(provider, SECRET, body, "d", NOW)} | {"webhook-signature"}
    others = {name: value for name, value in sent.items() if name.lower() not in known}
    verdict = judge(provider, (SECRET,), {**others, **proof(provider, SECRET, body, "d", NOW)}, body, NOW)
    assert verdict.fault != "proof"
    json.dumps(verdict.as_json()).encode()


@st.composite
def bent(draw: st.DrawFn) -> tuple[str, dict[str, str], bytes]:
    """A right delivery with one value of its payload replaced, and signed as it is then."""
    provider = draw(providers)
    sent, body = delivery(provider, SECRET, PUSH)
    payload: Any = json.loads(body)
    holder, place = payload, draw(st.sampled_from(sorted(payload)))
    while holder[place] and isinstance(holder[place], (dict, list)) and draw(st.booleans()):
        holder = holder[place]
        place = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
    holder[place] = draw(json_values)
    body = json.dumps(payload).encode()
    return provider, sent | proof(provider, SECRET, body, PUSH.number, NOW), body


@given(bent())
def test_a_payload_with_anything_in_place_of_a_value_has_a_verdict(one: tuple[str, dict[str, str], bytes]) -> None:
    provider, sent, body = one
    verdict = judge(provider, (SECRET,), sent, body, NOW)
    assert verdict.fault != "proof"
    printed = json.loads(json.dumps(verdict.as_json()))
    assert provider == "harbor" or all(item["ref"].startswith("refs/") for item in printed["refs"])


@given(providers, st.binary(min_size=1, max_size=64))
def test_of_a_right_delivery_no_other_secret_accepts(provider: str, secret: bytes) -> None:
    sent, body = delivery(provider, SECRET, PUSH)
    assert judge(provider, (SECRET,), sent, body, NOW).result == "accept"
    assert secret == SECRET or judge(provider, (secret, b""), sent, body, NOW).fault == "proof"


odd = st.text(alphabet="ab./@{*~^:? \\[\x7f\x01", max_size=12)
plain = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)


@given(odd | plain)
@example("heads/a.lock/b")
@example("heads/.a")
@example("heads/@")
@example("heads/-a")
@example("@{")
@example("heads/a.lock")
def test_a_ref_is_taken_as_git_takes_it(end: str) -> None:
    name = f"refs/{end}"
    try:
        taken = full_ref(name) == name
    except ValueError:
        taken = False
    known = subprocess.run(["git", "check-ref-format", name], capture_output=True, check=False)
    assert taken == (known.returncode == 0)


@given(json_values, st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2))
def test_the_field_of_a_form_is_what_was_put_into_it(value: Any, others: dict[str, str]) -> None:
    text = json.dumps(value, ensure_ascii=True)
    form = urlencode({**{f"x{name}": other for name, other in others.items()}, "payload": text}).encode()
    assert Delivery.of({"Content-Type": "application/x-www-form-urlencoded"}, form).content() == text.encode()


@given(st.text(max_size=60) | st.text(alphabet="ab.:/@[]~%", max_size=20).map(lambda end: f"https://{end}"))
def test_any_text_is_compared_as_a_url_without_raising(url: str) -> None:
    found = normal_url(url)
    assert found == "" or "/" in found
