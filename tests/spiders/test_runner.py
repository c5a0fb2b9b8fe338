"""Real processes, real limits, real endings."""

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from spiders.runner import MIB, Exit, Limits, run


def python(code: str, *, stop: threading.Event | None = None, **limits: float) -> Exit:
    return run([sys.executable, "-c", code], limits=Limits(**{"grace": 1, **limits}), stop=stop)  # type: ignore[arg-type]


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("pass", ""),
        ("raise ValueError('no')", "crashed: ValueError: no"),
        ("import sys; sys.exit(3)", "crashed: exit code 3, without a word"),
        ("import os; os.kill(os.getpid(), 9)", "was killed (signal 9)"),
        ("bytearray(300 * 1024 * 1024)", "needed more than 200 MiB of memory"),
    ],
)
def test_says_how_it_ended(code: str, reason: str) -> None:
    assert python(code, memory=200 * MIB).reason == reason


def test_ends_what_works_too_long() -> None:
    assert python("while True: pass", cpu_seconds=1).reason == "used more than 1 CPU seconds"


def test_ends_what_runs_too_long_even_when_it_does_not_listen() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    began = time.monotonic()
    ended = python(deaf, seconds=0.5, grace=0.2)
    assert ended.reason == "ran longer than 0.5 s and was stopped"
    assert time.monotonic() - began < 5


def test_stops_when_asked_and_lets_it_end_well(tmp_path: Path) -> None:
    polite = (
        "import pathlib, signal, sys, time\n"
        "def end(*_): pathlib.Path(sys.argv[1]).write_text('ended'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); pathlib.Path(sys.argv[1]).write_text('runs'); time.sleep(60)"
    )
    note, stop = tmp_path / "note", threading.Event()
    ended: list[Exit] = []
    command = [sys.executable, "-c", polite, str(note)]
    thread = threading.Thread(target=lambda: ended.append(run(command, limits=Limits(), stop=stop)))
    thread.start()
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert (ended[0].stopped, ended[0].reason, note.read_text()) == (True, "was asked to stop", "ended")


def test_leaves_no_grandchild_behind(tmp_path: Path) -> None:
    note = tmp_path / "child"
    parent = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path(sys.argv[1]).write_text(str(child.pid))"
    )
    assert run([sys.executable, "-c", parent, str(note)], limits=Limits()).code == 0
    deadline = time.monotonic() + 5
    while is_alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(int(note.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has the means to tie a process to its parent")
def test_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "crawl"
    crawl = (
        f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )
    service = (
        f"import sys; from spiders.runner import *; run([sys.executable, '-c', {crawl!r}], limits=Limits())"
    )
    process = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-c", service])
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)
    os.kill(process, 9)
    os.waitpid(process, 0)
    deadline = time.monotonic() + 5
    while is_alive(int(note.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(int(note.read_text()))


def test_keeps_only_the_end_of_what_was_said() -> None:
    ended = python("import sys; sys.stderr.write('x' * 100_000 + 'end'); sys.exit(1)")
    assert len(ended.said) <= 4096
    assert ended.said.endswith("end")


def test_files_cannot_grow_without_bound(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'f')!r}, 'wb').write(b'x' * 10_000_000)"
    assert "File too large" in python(code, file_bytes=1_000_000).reason
    assert (tmp_path / "f").stat().st_size <= 1_000_000
