"""Run one crawl as one process of its own, with limits, and say in words how it ended.

Parsers of hostile input run in there: when one eats memory or time, or crashes, only that crawl ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

MIB = 1024 * 1024
MAX_SAID = 4096
"""Bytes kept of the end of what the process wrote to standard error."""
_STEP = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`seconds` by the clock, `cpu_seconds` of work, `memory` in bytes of address space (a small crawl
    stays below 300 MiB), `files` open at once, `file_bytes` for the largest file (the embedded database grows
    here), `grace` seconds between asking to end and ending by force."""

    seconds: float = 600
    cpu_seconds: int = 300
    memory: int = 1536 * MIB
    files: int = 256
    file_bytes: int = 64 * 1024 * MIB
    grace: float = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a process ended. `reason` in words, "" when it ended well; `stopped`: we were asked to stop it;
    `said`: the end of its standard error, bounded."""

    code: int
    reason: str = ""
    stopped: bool = False
    said: str = ""


def run(command: Sequence[str], *, limits: Limits, stop: threading.Event | None = None) -> Exit:
    """Run `command` to its end, in a session of its own, and leave no process of it behind. May be called from any
    thread. `stop`: when it is set, the process is asked to end (SIGTERM), then made to."""
    with tempfile.TemporaryFile() as said:
        process = _start(command, limits, said)
        try:
            ended_by = _wait(process, limits, stop)
        finally:
            _sweep(process)
        code, tail = process.returncode, _tail(said)
    reason = "was asked to stop" if ended_by == "stop" else _why(code, ended_by, tail, limits)
    return Exit(code=code, reason=reason, stopped=ended_by == "stop", said=tail)


def _start(command: Sequence[str], limits: Limits, said: IO[bytes]) -> subprocess.Popen[bytes]:
    numbers = (limits.memory, limits.cpu_seconds, limits.files, limits.file_bytes, os.getpid())
    launcher = [sys.executable, "-m", "spiders.limited", *(str(number) for number in numbers), "--"]
    return subprocess.Popen(  # noqa: S603 (our own command, no shell)
        [*launcher, *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
        close_fds=True,
    )


def _wait(process: subprocess.Popen[bytes], limits: Limits, stop: threading.Event | None) -> str:
    """Wait for the end. "" when it came by itself, "time" or "stop" when we had to ask for it."""
    deadline = time.monotonic() + limits.seconds
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STEP)
            return ""
        if stop is not None and stop.is_set():
            _ask(process, limits.grace)
            return "stop"
        if time.monotonic() > deadline:
            _ask(process, limits.grace)
            return "time"


def _ask(process: subprocess.Popen[bytes], grace: float) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)


def _sweep(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process's group, and reap the process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - MAX_SAID))
    return said.read(MAX_SAID).decode("utf-8", "replace").strip()


def _why(code: int, ended_by: str, said: str, limits: Limits) -> str:
    if ended_by == "time":
        return f"ran longer than {limits.seconds:g} s and was stopped"
    if code == 0:
        return ""
    if code == -signal.SIGXCPU:
        return f"used more than {limits.cpu_seconds} CPU seconds"
    if "MemoryError" in said:
        return f"needed more than {limits.memory // MIB} MiB of memory"
    if code < 0:
        return f"was killed (signal {-code})"
    return f"crashed: {said.splitlines()[-1][:300] if said else f'exit code {code}, without a word'}"
