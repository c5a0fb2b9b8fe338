"""The image's recipe, line by line, and what it installs: the wheel runs from a clean environment outside this folder, with all
the files that it needs. (No container engine runs here: the image itself is not built.)"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from console.cli import COMMANDS, GROUPS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "infra" / "docker"
RECIPE = (FOLDER / "Dockerfile").read_text()
STEPS = [
    line.strip()
    for line in re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", RECIPE)).splitlines()
    if line.strip()
]
FINAL = STEPS[max(i for i, step in enumerate(STEPS) if step.startswith("FROM ")) :]
COPIED = [
    part for step in STEPS if step.startswith("COPY ") and "--from" not in step for part in step.split()[1:-1]
]


def test_both_stages_begin_at_the_same_pinned_python() -> None:
    bases = [step.split()[1] for step in STEPS if step.startswith("FROM ")]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.12\.\d+-slim-\w+", bases[0])


def test_libraries_are_locked_by_their_hashes_and_nothing_is_compiled() -> None:
    installs = [step for step in STEPS if "pip install" in step]
    assert installs
    for step in installs:
        for command in re.findall(r"pip install[^&]*", step):
            assert "--require-hashes" in command or "--no-deps --no-index" in command, command
    assert "--only-binary :all:" in RECIPE
    assert not re.search(r"apt-get|\bgcc\b|build-essential|curl|wget", RECIPE)


def test_the_image_runs_as_nobody_that_matters() -> None:
    user = next(step for step in FINAL if step.startswith("USER "))
    assert re.fullmatch(r"USER [1-9]\d+:[1-9]\d+", user), "a number, so that Kubernetes sees it is not root"
    assert FINAL.index(user) > max(i for i, step in enumerate(FINAL) if step.startswith("RUN "))
    assert any(step.startswith("HEALTHCHECK ") and "lyhord health" in step for step in FINAL)
    assert "LYHORD_CONFIG=/etc/lyhord/lyhord.toml" in " ".join(FINAL)
    assert [step for step in FINAL if step.startswith("COPY ")] == [
        "COPY --from=build /opt/lyhord /opt/lyhord"
    ]


def test_what_is_copied_is_there_and_let_in() -> None:
    ignored = (FOLDER / "Dockerfile.dockerignore").read_text().split("\n")
    assert "*" in ignored
    for name in COPIED:
        assert (ROOT / name).exists(), name
        assert f"!{name}" in ignored, name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as the recipe does, from what it copies and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    ignore = shutil.ignore_patterns("__pycache__", "training")
    for name in COPIED:
        here, there = ROOT / name, folder / "source" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        if here.is_dir():
            shutil.copytree(here, there, ignore=ignore)
        else:
            shutil.copy(here, there)
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        ".",
    ]
    subprocess.run(command, cwd=folder / "source", check=True, timeout=120)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with the locked libraries and the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    into = f"pip install --quiet --python {folder / 'bin' / 'python'}"
    for arguments in (
        f"venv --quiet --python {sys.executable} {folder}",
        f"{into} --only-binary :all: --require-hashes -r {ROOT / 'requirements' / 'run.txt'}",
        f"{into} --no-deps --no-index {wheel}",
    ):
        command = [str(Path(sys.executable).with_name("uv")), *arguments.split()]
        subprocess.run(command, check=True, timeout=300, cwd=folder)
    return folder / "bin"


def run(command: Sequence[str | Path], folder: Path, *, given: str = "") -> str:
    """What it writes to standard output, with a file of its own in `folder` and nothing else in the environment."""
    environment = {"PATH": "/usr/bin:/bin", "LYHORD_CONFIG": str(folder / "lyhord.toml"), "HOME": str(folder)}
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=folder, env=environment, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_wheel_holds_every_file_that_the_packages_read(wheel: Path) -> None:
    held = subprocess.run(
        [sys.executable, "-m", "zipfile", "--list", wheel], capture_output=True, text=True, check=True
    )
    names = {line.split()[0] for line in held.stdout.splitlines()}
    packages = [name for name in COPIED if (ROOT / name).is_dir()]
    wanted = {
        str(path.relative_to(ROOT))
        for name in packages
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "training" not in path.parts
    }
    assert sorted(wanted - names) == []


@pytest.mark.slow
def test_every_command_starts_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    listed = run([installed / "lyhord", "--help"], tmp_path)  # which imports every command
    assert [name for name in (*COMMANDS, *GROUPS) if f" {name} " not in listed] == []
    assert "--run" in run([installed / "python", "-m", "workers.crawl", "--help"], tmp_path)


@pytest.mark.slow
def test_it_works_from_the_wheel_alone(installed: Path, tmp_path: Path) -> None:
    said = run(
        [installed / "lyhord", "score", "-"],
        tmp_path,
        given='{"id": "1", "text": "Jag är orolig, nätet ligger nere igen"}\n',
    )
    assert json.loads(said)["language"] == "sv"
    run(
        [installed / "lyhord", "init", "--brand", "Fjelltele", "--source", "https://forum.example/"], tmp_path
    )
    run([installed / "lyhord", "check"], tmp_path)
    report = run([installed / "celery", "-A", "workers.app", "report"], tmp_path)
    assert "task_acks_late: True" in report
    assert (tmp_path / "data" / "ledger.db").stat().st_mode & 0o777 == 0o600
