"""Export: a skill as a folder or zip that stands alone - artifact, README with the evidence, and a NumPy player."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from skills.artifact import SPEC_FILE, ArtifactError, read_policy
from skills.c_export import make_c
from skills.circuit_export import circuit_files
from skills.onnx_export import make_onnx
from skills.shelf import FILES
from skills.skill import Skill, SkillProblem
from skills.swarm_policy import KINDS as SWARM_KINDS

NETWORK_FORMS = ("onnx", "c")
_PLAYER = Path(__file__).with_name("play.py")
_SWARM_PLAYER = Path(__file__).with_name("swarm_policy.py")
_CIRCUIT = """
This skill is a circuit: `circuit.qasm` is OpenQASM 3, `circuit.txt` a drawing with its energies; `python play.py` prints it.
"""


def export_artifact(skill: Skill, artifact: Path, target: Path) -> Path:
    """Write `artifact` to the new folder `target`, or to a zip when it ends in `.zip`; never overwrite anything.

    Raises `SkillProblem` when the target is taken or cannot be written.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise SkillProblem(f"{target} exists already: name a new folder or .zip file for the export")
    try:
        if target.suffix.lower() == ".zip":
            return _zip(skill, artifact, target)
        target.mkdir(parents=True, exist_ok=True)
        _fill(skill, artifact, target)
    except OSError as error:
        raise SkillProblem(f"skill {skill.label} cannot be exported to {target}: {error.strerror}") from error
    return target


def export_network(skill: Skill, artifact: Path, target: Path, form: str) -> Path:
    """Write the skill's network alone to the new file `target`, as `onnx` or `c`.

    Raises `SkillProblem` for another form, a taken target, or a policy that is no network.
    """
    if form not in NETWORK_FORMS:
        raise SkillProblem(f"unknown export format {form!r}. Known: folder, {', '.join(NETWORK_FORMS)}.")
    if target.exists():
        raise SkillProblem(f"{target} exists already: name a new file for the export")
    try:
        spec, tensors = read_policy(artifact)
        content = make_onnx(spec, tensors) if form == "onnx" else make_c(spec, tensors).encode()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    except ArtifactError as error:
        raise SkillProblem(f"skill {skill.label}: {error}") from error
    except OSError as error:
        raise SkillProblem(f"skill {skill.label} cannot be exported to {target}: {error.strerror}") from error
    return target


def _zip(skill: Skill, artifact: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".export-") as work:
        folder = Path(work) / target.stem
        folder.mkdir()
        _fill(skill, artifact, folder)
        part = Path(work) / "part.zip"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, f"{target.stem}/{path.name}")
        part.replace(target)
    return target


def _fill(skill: Skill, artifact: Path, folder: Path) -> None:
    for name in FILES:
        shutil.copyfile(artifact / name, folder / name)
    shutil.copyfile(_PLAYER, folder / "play.py")
    spec = json.loads((artifact / SPEC_FILE).read_text(encoding="utf-8"))
    if spec.get("kind") in SWARM_KINDS:
        shutil.copyfile(_SWARM_PLAYER, folder / _SWARM_PLAYER.name)
    circuit = circuit_files(spec)
    for name, text in circuit.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(make_readme(skill) + (_CIRCUIT if circuit else ""), encoding="utf-8")


def make_readme(skill: Skill) -> str:
    """The exported skill's card for people, as Markdown."""
    region = [f"| {name} | {low:g} | {high:g} |" for name, (low, high) in sorted(skill.region.items())]
    where = ["", "Where the evidence holds:", "", "| task parameter | from | to |", "| --- | --- | --- |", *region]
    lines = [
        f"# {skill.label}",
        "",
        skill.description,
        "",
        f"A certified skill for the environment family `{skill.family}`, episodes of at most {skill.horizon} control steps.",
        "",
        "| evidence on held-out seeds | value | 95% interval |",
        "| --- | --- | --- |",
        f"| success rate, {skill.episodes} episodes | {skill.success_rate:.3f} | {skill.success_low:.3f} to {skill.success_high:.3f} |",
        f"| fitness, interquartile mean | {skill.fitness_iqm:.4g} | {skill.fitness_low:.4g} to {skill.fitness_high:.4g} |",
        f"| native return, mean | {skill.native_return_mean:.4g} | |",
        *(where if region else []),
        "",
        "`card.json` says what it is, `evidence.json` has every episode, `reward.json` the reward that it was trained on,",
        "`provenance.json` where it comes from. Play it with NumPy alone (run `python play.py` to see that it loads):",
        "",
        "```python",
        "from play import load",
        "",
        'act = load(".")           # observations [n, d] -> actions',
        "actions = act(observations)",
        "```",
        "",
        f"Id `{skill.id}`, artifact SHA-256 `{skill.artifact_digest}`.",
        "",
    ]
    return "\n".join(lines)
