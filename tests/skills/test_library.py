"""Admission, retrieval and repair of skills, on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sqlalchemy import text
from sqlmodel import func, select

from memory.search import search_words
from memory.store import Store
from memory.tables import SkillRow, SkillVectorRow
from skills.embedder import HashEmbedder
from skills.evidence import Probe
from skills.library import AdmissionRequest, Library, SkillProblem, brief
from skills.testing import make_evidence, make_policy_folder, make_request


def count(store: Store, table: type[SkillRow] | type[SkillVectorRow]) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(table)).one()


def admit(library: Library, tmp_path: Path, name: str, **overrides: Any) -> str:
    return library.admit(make_request(tmp_path, name, **overrides)).id


def test_an_admitted_skill_has_row_vector_words_and_artifact(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    assert (skill.name, skill.version, skill.label, skill.state) == ("walk-flat", 1, "walk-flat@1", "certified")
    assert (skill.episodes, skill.successes, skill.success_rate, skill.success_high) == (20, 20, 1.0, 1.0)
    assert skill.success_low == pytest.approx(0.8389, abs=1e-4)
    assert (skill.fitness_iqm, skill.native_return_mean, skill.horizon) == (1.0, 2.0, 1600)
    assert skill.region == {"stump_height": (0.0, 0.0)}
    assert library.get(skill.id) == skill
    assert (count(library.store, SkillRow), count(library.store, SkillVectorRow)) == (1, 1)
    with library.store.read() as session:
        assert [found for found, _ in search_words(session, "falling")] == [skill.id]
    folder = library.artifact_folder(skill)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json",
        "evidence.json",
        "policy.json",
        "policy.safetensors",
        "provenance.json",
        "reward.json",
    ]
    assert json.loads((folder / "provenance.json").read_text())["training_seeds"] == [1, 2, 3]
    assert json.loads((folder / "evidence.json").read_text())["seeds"][0] == 10**6


def test_the_policy_comes_back(library: Library, tmp_path: Path) -> None:
    library.admit(make_request(tmp_path))
    shutil.rmtree(tmp_path / "policy")
    action = library.load_policy("walk-flat").act(np.array([[3.0, 1.0]]))
    assert action.tolist() == [[5.0]]


def test_admitting_twice_gives_one_row_and_changes_nothing(library: Library, tmp_path: Path) -> None:
    first = library.admit(make_request(tmp_path))
    again = library.admit(make_request(tmp_path))
    assert again == first
    assert (count(library.store, SkillRow), count(library.store, SkillVectorRow)) == (1, 1)
    assert [path.name for path in library.folder.iterdir()] == [first.artifact]


def test_the_same_name_gets_the_next_version(library: Library, tmp_path: Path) -> None:
    first = library.admit(make_request(tmp_path, key="a"))
    second = library.admit(make_request(tmp_path, key="b"))
    assert (first.version, second.version) == (1, 2)
    assert library.get("walk-flat").id == second.id
    assert library.get("walk-flat@1").id == first.id
    assert [skill.version for skill in library.list_skills()] == [2, 1]


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ({"evidence": make_evidence(19, 19)}, "19 held-out episodes: a certificate needs at least 20"),
        (
            {"evidence": make_evidence(15, 20)},
            "15 of 20 held-out episodes succeeded, below the rule's success rate of 0.8",
        ),
        (
            {"evidence": make_evidence(16, 20), "min_success_rate": 0.8},
            "as low as 0.58, below the rule's 0.6",  # Wilson of 16 in 20 is 0.584 to 0.919
        ),
        ({"evidence": make_evidence(20, 20), "min_lower_bound": 0.84}, "as low as 0.84"),
    ],
)
def test_evidence_that_does_not_carry_is_refused(
    library: Library, tmp_path: Path, overrides: dict[str, Any], part: str
) -> None:
    with pytest.raises(SkillProblem, match=part) as caught:
        library.admit(make_request(tmp_path, **overrides))
    assert "\n" not in str(caught.value)
    assert count(library.store, SkillRow) == 0
    assert not library.folder.exists() or not any(library.folder.iterdir())


def test_a_policy_that_does_not_load_is_refused(library: Library, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SkillProblem, match=r"no policy to admit.*policy\.json"):
        library.admit(make_request(tmp_path, policy_folder=tmp_path / "empty"))
    assert (count(library.store, SkillRow), list(library.folder.glob("*"))) == (0, [])


@pytest.mark.parametrize("name", ["", "../../etc", "a b", ".hidden", "x" * 81, "naïve"])
def test_names_that_cannot_be_typed_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        make_request(tmp_path, name)


def test_a_leftover_of_a_killed_admission_is_replaced(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    with library.store.transaction() as session:  # as if the kill had come between rename and commit
        session.execute(text("DELETE FROM skill_vector"))
        session.execute(text("DELETE FROM skill"))
    (library.folder / skill.artifact / "policy.json").write_text("half written")
    again = library.admit(make_request(tmp_path))
    assert (again.id, again.artifact_digest) == (skill.id, skill.artifact_digest)
    assert library.verify().ok


def test_a_failing_commit_leaves_no_row_and_the_next_try_works(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import skills.library
    from skills.shelf import place as real_place

    def place_then_die(part: Path, target: Path) -> None:
        real_place(part, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(skills.library, "place", place_then_die)
    with pytest.raises(KeyboardInterrupt):
        library.admit(make_request(tmp_path))
    assert (count(library.store, SkillRow), len(library.verify().orphans)) == (0, 1)
    monkeypatch.undo()
    library.admit(make_request(tmp_path))
    assert (library.verify().checked, library.verify().orphans) == (1, ())


def test_orphans_are_reaped_only_on_request(library: Library, tmp_path: Path) -> None:
    kept = library.admit(make_request(tmp_path, "kept"))
    shutil.copytree(library.folder / kept.artifact, library.folder / "0123456789ab")
    (library.folder / "notes").mkdir()  # somebody else's
    assert library.verify().orphans == ("0123456789ab",)
    assert library.reap() == ["0123456789ab"]
    assert sorted(path.name for path in library.folder.iterdir()) == sorted([kept.artifact, "notes"])


@pytest.mark.parametrize(
    ("damage", "part"),
    [
        ("remove", "is missing: no folder"),
        ("truncate", "was changed after its admission"),
        ("drop card", "incomplete: no card.json"),
        ("add file", "was changed after its admission"),
    ],
)
def test_a_damaged_artifact_is_one_clear_line(library: Library, tmp_path: Path, damage: str, part: str) -> None:
    skill = library.admit(make_request(tmp_path))
    folder = library.folder / skill.artifact
    if damage == "remove":
        shutil.rmtree(folder)
    elif damage == "truncate":
        (folder / "policy.safetensors").write_bytes(b"")
    elif damage == "drop card":
        (folder / "card.json").unlink()
    else:
        (folder / "extra.pkl").write_bytes(b"x")
    for use in (library.load_policy, library.artifact_folder, lambda s: library.export(s, tmp_path / "out")):
        with pytest.raises(SkillProblem, match=part) as caught:
            use(skill)
        assert "\n" not in str(caught.value)
    assert part.split(":")[0] in library.verify().damaged[skill.id]
    library.admit(make_request(tmp_path))  # the same request puts it back
    assert library.verify().ok


def test_an_artifact_that_can_not_be_rebuilt_alike_stays_refused(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    shutil.rmtree(library.folder / skill.artifact)
    make_policy_folder(tmp_path / "policy", gain=2.0)
    with pytest.raises(SkillProblem, match="is missing"):
        library.admit(make_request(tmp_path, policy_folder=tmp_path / "policy"))


def test_probes_stretch_the_region(library: Library, tmp_path: Path) -> None:
    probes = [Probe(params={"stump_height": h}, evidence=make_evidence(n)) for h, n in [(0.1, 20), (0.2, 19), (0.3, 3)]]
    assert library.admit(make_request(tmp_path, probes=probes)).region == {"stump_height": (0.0, 0.2)}


def fill(library: Library, tmp_path: Path) -> None:
    for name, description, height, wins, family in [
        ("walk-flat", "walk forward over ground", 0.0, 20, "walker"),
        ("walk-stumps", "walk forward over stumps", 0.4, 17, "walker"),
        ("pole", "balance the pole on the cart", 0.0, 20, "gym:CartPole-v1"),
    ]:
        task = {"family": family, "params": {"stump_height": height}, "horizon": 500, "seed": 0}
        admit(
            library,
            tmp_path,
            name,
            description=description,
            task=task,
            family=family,
            evidence=make_evidence(wins, 20),
            min_lower_bound=0.5,
        )


def names(library: Library, wanted: str, **filters: Any) -> list[str]:
    return [match.skill.name for match in library.find(wanted, **filters)]


def test_skills_are_found_by_meaning_and_by_ability(library: Library, tmp_path: Path) -> None:
    fill(library, tmp_path)
    assert names(library, "balance a pole")[0] == "pole"
    assert names(library, "walk forward")[0] == "walk-flat"  # alike in words: the abler one first
    assert names(library, "walk forward", able_for={"stump_height": 0.4})[0] == "walk-stumps"
    assert set(names(library, "walk forward", family="walker")) == {"walk-flat", "walk-stumps"}
    assert names(library, "walk forward over stumps", min_success=0.8)[0] == "walk-flat"
    assert "walk-stumps" not in names(library, "walk forward over stumps", min_success=0.8)
    assert len(library.find("walk forward", limit=1)) == 1


def test_a_match_explains_its_score(library: Library, tmp_path: Path) -> None:
    fill(library, tmp_path)
    inside = library.find("walk forward over stumps", able_for={"stump_height": 0.4}, limit=1)[0]
    assert (inside.skill.name, inside.covered) == ("walk-stumps", True)
    assert inside.meaning == pytest.approx(1.0, abs=1e-6)
    assert inside.ability == pytest.approx(0.6396, abs=1e-4)  # Wilson's low end of 17 in 20
    assert inside.score == pytest.approx((inside.meaning * inside.ability) ** 0.5)
    outside = library.find("walk forward over stumps", able_for={"stump_height": 0.5}, limit=1)[0]
    assert not outside.covered
    assert outside.ability == pytest.approx(0.6396 * np.exp(-3 * 0.1 / 0.5), abs=1e-4)
    unknown = library.find("walk forward over stumps", able_for={"wind": 1.0}, limit=1)[0]
    assert unknown.ability == pytest.approx(0.6396 * np.exp(-3), abs=1e-4)


def test_only_one_version_of_a_name_is_found(library: Library, tmp_path: Path) -> None:
    admit(library, tmp_path, "walk-flat", key="a", evidence=make_evidence(17, 20))
    better = admit(library, tmp_path, "walk-flat", key="b", evidence=make_evidence(20, 20))
    admit(library, tmp_path, "walk-flat", key="c", evidence=make_evidence(18, 20))
    assert [match.skill.id for match in library.find("walk on the flat")] == [better]


def test_a_revoked_skill_is_found_no_more_and_a_new_one_at_once(library: Library, tmp_path: Path) -> None:
    fill(library, tmp_path)
    assert names(library, "balance the pole")[0] == "pole"
    revoked = library.revoke("pole", "its evaluation had a bug")
    assert (revoked.state, revoked.provenance["revoked"]["reason"]) == ("revoked", "its evaluation had a bug")
    assert "pole" not in names(library, "balance the pole")
    assert "pole" not in [skill.name for skill in library.list_skills()]
    assert library.get("pole").state == "revoked"
    admit(library, tmp_path, "pole-again", description="balance the pole on the cart")
    assert names(library, "balance the pole")[0] == "pole-again"


def test_changing_the_embedder_diverges_nothing(library: Library, tmp_path: Path) -> None:
    fill(library, tmp_path)

    class OtherEmbedder(HashEmbedder):
        name = "other@1"

    other = Library(library.store, library.folder, OtherEmbedder())
    assert other.verify().without_vector == 3
    assert names(other, "balance the pole")[0] == "pole"  # a few are embedded by the search itself
    assert other.verify().without_vector == 0
    assert count(library.store, SkillVectorRow) == 6
    assert other.embed_missing() == 0


def test_without_a_vector_words_find_it(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(library, tmp_path)
    with library.store.transaction() as session:
        session.execute(text("DELETE FROM skill_vector"))
    monkeypatch.setattr(Library, "embed_missing", lambda self, at_most=None: 0)
    found = Library(library.store, library.folder, HashEmbedder()).find("balance pole")
    assert [match.skill.name for match in found] == ["pole"]
    assert found[0].meaning == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_search_is_one_clear_line(library: Library, text: str) -> None:
    with pytest.raises(SkillProblem, match="nothing to search for"):
        library.find(text)


@pytest.mark.parametrize("text", ['"', "NOT walk", "🤸", "\ud800", "\x00 walk", "x" * 20_000])
def test_any_search_is_safe(library: Library, tmp_path: Path, text: str) -> None:
    fill(library, tmp_path)
    library.find(text)


def test_an_empty_library_finds_nothing(library: Library) -> None:
    assert library.find("walk") == []
    assert library.verify().ok
    with pytest.raises(SkillProblem, match="empty"):
        library.get("walk")


def test_a_damaged_row_is_one_clear_line(library: Library, tmp_path: Path) -> None:
    skill = library.admit(make_request(tmp_path))
    with library.store.transaction() as session:
        session.get_one(SkillRow, skill.id).region = {"stump_height": "everywhere"}
    with pytest.raises(SkillProblem, match=f"row of skill {skill.id} is damaged"):
        library.get(skill.id)


def test_the_brief_is_what_roles_are_told(library: Library, tmp_path: Path) -> None:
    from experimenter.records import SkillBrief

    skill = library.admit(make_request(tmp_path))
    told = SkillBrief.model_validate(brief(skill))
    assert (told.id, told.params, told.region) == (skill.id, {"stump_height": 0.0}, {"stump_height": (0.0, 0.0)})
    assert told.success_low == skill.success_low


def test_requests_know_their_task(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="no params"):
        make_request(tmp_path, task={"family": "walker"})
    assert isinstance(make_request(tmp_path), AdmissionRequest)
