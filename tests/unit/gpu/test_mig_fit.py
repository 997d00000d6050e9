"""Holds the MIG table and the search for places against facts: names, counts and mixes that drivers take and refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.errors import UsageError
from reconciler.gpu.mig.fit import misfits
from reconciler.gpu.mig.name import gigabytes_of, parse_name, resource_of
from reconciler.gpu.mig.placement import placement
from reconciler.gpu.mig_table import MigModel, MigProfile, parse_mig_table
from setscrew.configuration import mig_table

FACTS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "cases" / "gpu" / "mig-vectors.yaml").read_text())
MODELS = {model.name: model for model in mig_table().models}
SEVEN = [name for name, model in MODELS.items() if (model.compute_slices, model.memory_slices) == (7, 8)]
Mix = Mapping[str, int]


@pytest.mark.parametrize("vector", FACTS["vectors"], ids=lambda vector: f"{vector['model']} {vector['devices']}")
def test_a_vector_is_judged_as_a_gpu_would(vector: Any) -> None:
    assert (misfits(MODELS[vector["model"]], vector["devices"]) == ()) is vector["fits"]


def test_there_are_as_many_facts_as_there_were() -> None:
    assert len(FACTS["vectors"]) == 41
    assert (len(MODELS), sum(len(model.profiles) for model in MODELS.values())) == (13, 93)
    assert len(SEVEN) == 11


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_the_names_that_follow_from_memory_are_those_that_drivers_give(model: MigModel) -> None:
    told = FACTS["names"][model.name]
    assert [profile.name for profile in model.profiles] == [name for name in told if not name.startswith("*")]
    aliases = [alias for profile in model.profiles for alias in profile.aliases]
    assert aliases == [name.removeprefix("*") for name in told if name.startswith("*")]


def test_a_second_name_is_the_same_slice_of_that_model_only() -> None:
    assert misfits(MODELS["A100-80GB"], {"7g.79gb": 1}) == ()
    assert [one.rule for one in misfits(MODELS["H100-80GB"], {"7g.79gb": 1})] == ["MIG-02"]


def test_a_mix_that_a_document_asks_for_again_and_again_is_judged_once() -> None:
    mix = {"3g.40gb": 2, "1g.10gb": 1}
    assert misfits(MODELS["A100-80GB"], mix)
    assert misfits(MODELS["A100-80GB"], {**mix, "no name": 1}) is misfits(MODELS["A100-80GB"], mix)


@pytest.mark.parametrize(
    ("part", "of", "total", "said"), [(1, 8, 94, 12), (4, 8, 79, 40), (1, 8, 141, 18), (3, 12, 96, 24)]
)
def test_gigabytes_are_eighths_rounded_half_up(part: int, of: int, total: int, said: int) -> None:
    assert gigabytes_of(part, of, total) == said


def kind(profile: MigProfile) -> str:
    """`2g`, or `1g2x` for the one with the memory of two."""
    doubled = (profile.compute_slices, profile.memory_slices) == (1, 2)
    return f"{profile.compute_slices}g2x" if doubled else f"{profile.compute_slices}g"


def bare(model: MigModel) -> list[MigProfile]:
    return [profile for profile in model.profiles if not {"+", "-"} & set(profile.name)]


@cache
def fitting(name: str) -> list[Mix]:
    """All mixes that fit, found by asking about every multiset of profiles up to their largest counts."""
    profiles = bare(MODELS[name])
    found = []
    for counts in product(*(range(profile.max_count + 1) for profile in profiles)):
        devices = {profile.name: count for profile, count in zip(profiles, counts, strict=True) if count}
        if not misfits(MODELS[name], devices):
            found.append({kind(profile): count for profile, count in zip(profiles, counts, strict=True) if count})
    return found


def within(small: Mix, large: Mix) -> bool:
    return all(count <= large.get(name, 0) for name, count in small.items())


def maximal(mixes: list[Mix]) -> list[Mix]:
    return [one for one in mixes if not any(one != other and within(one, other) for other in mixes)]


def alike(mixes: list[Mix]) -> Counter[frozenset[tuple[str, int]]]:
    return Counter(frozenset(mix.items()) for mix in mixes)


def geometry(model: MigModel) -> list[tuple[Any, ...]]:
    """All that a search for places looks at."""
    return [(one.compute_slices, one.memory_slices, one.max_count, one.starts) for one in model.profiles]


def test_all_models_of_seven_slices_are_cut_alike() -> None:
    assert [name for name in SEVEN if geometry(MODELS[name]) != geometry(MODELS["A100-40GB"])] == []


def test_on_seven_slices_exactly_the_known_mixes_fit() -> None:
    every = fitting("A100-40GB")
    base = [mix for mix in every if "1g2x" not in mix]
    # The GPU that is not cut at all is one of them.
    assert (len(base), len(every)) == (38, 78)
    assert alike(maximal(base)) == alike(FACTS["sevenSlices"])
    assert alike(maximal(every)) == alike(FACTS["sevenSlices"] + FACTS["sevenSlicesDoubled"])
    assert (len(maximal(base)), len(maximal(every))) == (12, 28)


def test_on_four_slices_exactly_the_known_mixes_fit() -> None:
    assert alike(maximal(fitting("A30-24GB"))) == alike(FACTS["a30"])


@pytest.mark.parametrize("name", ["A100-40GB", "A30-24GB", "RTX-PRO-6000-BLACKWELL-96GB"])
def test_what_can_be_placed_never_asks_for_more_compute_or_instances_than_there_are(name: str) -> None:
    model = MODELS[name]
    slices = {kind(profile): profile.compute_slices for profile in bare(model)}
    for mix in fitting(name):
        assert sum(slices[one] * count for one, count in mix.items()) <= model.compute_slices
        assert sum(mix.values()) <= model.max_instances


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_as_many_as_the_largest_count_says_fit_and_no_more(model: MigModel) -> None:
    for profile in model.profiles:
        assert misfits(model, {profile.name: profile.max_count}) == ()
        found = misfits(model, {profile.name: profile.max_count + 1})
        assert {one.rule for one in found} <= {"MIG-03", "MIG-05"}
        assert found


def test_places_are_starts_of_the_profile_and_do_not_overlap() -> None:
    model = MODELS["H100-80GB"]
    wanted = [(profile, 1) for profile in model.profiles if profile.name in {"3g.40gb", "2g.20gb", "1g.10gb"}]
    places = placement(wanted, model.memory_slices)
    assert places is not None
    taken = [slice_ for profile, start in places for slice_ in range(start, start + profile.memory_slices)]
    assert len(taken) == len(set(taken)) == 7
    assert all(start in profile.starts for profile, start in places)


@pytest.mark.parametrize(
    ("devices", "rules"),
    [
        ({"1c.3g.20gb": 6}, []),
        ({"1c.3g.20gb": 7}, ["MIG-03"]),
        ({"2c.3g.20gb": 2, "1c.3g.20gb": 2}, []),
        ({"2c.3g.20gb": 2, "3g.20gb": 1}, ["MIG-03"]),
        ({"1c.7g.40gb": 7}, []),
        ({"4c.7g.40gb": 1, "3c.7g.40gb": 1}, []),
        ({"1c.7g.40gb": 10**12, "2c.7g.40gb": 10**12}, ["MIG-03"]),
        ({"1c.3g.20gb": 4, "1g.5gb": 1}, ["MIG-04"]),
    ],
)
def test_compute_instances_share_gpu_instances(devices: dict[str, int], rules: list[str]) -> None:
    assert [one.rule for one in misfits(MODELS["A100-40GB"], devices)] == rules


def test_the_classic_trap_is_told_with_its_slices_and_with_what_fits() -> None:
    (found,) = misfits(MODELS["A100-40GB"], {"3g.20gb": 2, "1g.5gb": 1})
    assert found.rule == "MIG-04"
    assert "A100-40GB: memory 9/8, compute 7/7 slices" in found.message
    assert "2 x 3g.20gb, which fits" in found.fix


def test_models_known_from_configuration_files_only_are_warned_about() -> None:
    assert {one.severity for one in misfits(MODELS["B300-269GB"], {"1g.35gb": 7})} == {"warning"}
    assert {one.severity for one in misfits(MODELS["B200-180GB"], {"1g.35gb": 7})} == {"error"}


NAMES = {
    "1g.10gb": "1g.10gb",
    "3c.3g.40gb": "3g.40gb",
    "1c.3g.40gb+me": "1c.3g.40gb+me",
    "2g.48gb+me.all": "2g.48gb+me.all",
    "1g.24gb-me": "1g.24gb-me",
    "1g.24gb+me,gfx": "1g.24gb+gfx,me",
}


@pytest.mark.parametrize(("text", "said"), NAMES.items())
def test_a_name_is_read(text: str, said: str) -> None:
    assert str(parse_name(text)) == said


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "1g",
            "10gb",
            "1g10gb",
            "0g.10gb",
            "01g.10gb",
            "1g.10GB",
            " 1g.10gb",
            "1g.10gb ",
            "1g.10gb\n",
            "4c.3g.40gb",
        ),
        *(
            "1g.10gb+",
            "1g.10gb+me,me",
            "1g.10gb+1me",
            "1g.10gb+me-gfx",
            "1g.10gb.me",
            "c.1g.10gb",
            "1g.10gb+mé",
            "１g.10gb",
        ),
        "9" * 5000 + "g.1gb",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    assert parse_name(text) is None


def test_resources_are_named_as_the_device_plugin_names_them() -> None:
    assert resource_of("1g.10gb+me") == "nvidia.com/mig-1g.10gb.me"
    assert resource_of("1g.24gb-me") == "nvidia.com/mig-1g.24gb-me"


def broken() -> Iterator[tuple[str, str, Any]]:
    """What is wrong, the words that say so, and a change of the shipped document that makes it wrong."""
    yield "shape", "is none of", lambda spec: spec["models"][0].update(shape="round")
    yield "memory", "memoryGiB: expected a number above 0", lambda spec: spec["models"][0].update(memoryGiB=0)
    yield "id", "no hexadecimal number", lambda spec: spec["models"][0].update(pciIds=["RTX"])
    yield "product", "no regular expression", lambda spec: spec["models"][0].update(product="(")
    yield "start", "begin at 0 to 7", lambda spec: spec["shapes"][0]["profiles"][0].update(starts=[8])
    yield "field", "unknown field 'colour'", lambda spec: spec["models"][0].update(colour="green")


@pytest.mark.parametrize(("words", "change"), [pytest.param(*rest, id=name) for name, *rest in broken()])
def test_a_table_that_cannot_be_right_is_refused_with_its_place(words: str, change: Any) -> None:
    file = Path(__file__).parents[3] / "policies" / "gpu" / "mig-profiles.yaml"
    document = yaml.safe_load(file.read_text())
    change(document["spec"])
    with pytest.raises(UsageError, match=words) as caught:
        parse_mig_table([("own.yaml", document)])
    assert "own.yaml: spec." in str(caught.value.where)


def test_an_own_directory_adds_models_and_replaces_those_of_the_same_name(tmp_path: Path) -> None:
    own = {
        "apiVersion": "setscrew.dev/v1alpha1",
        "kind": "MigProfiles",
        "spec": {
            "models": [
                {"name": "B200-180GB", "shape": "seven-slices", "memoryGiB": 183, "pciIds": [], "product": "^B200$"},
                {"name": "X-48GB", "shape": "four-slices", "memoryGiB": 48, "pciIds": ["0x1"], "product": "^X$"},
            ]
        },
    }
    (tmp_path / "models.yaml").write_text(yaml.safe_dump(own))
    table = mig_table(tmp_path)
    assert len(table.models) == len(MODELS) + 1
    assert misfits(next(one for one in table.models if one.name == "B200-180GB"), {"7g.183gb": 1}) == ()
    assert [one.name for one in table.by_pci_id(1)] == ["X-48GB"]
