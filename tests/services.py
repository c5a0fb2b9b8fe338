"""Real servers for the tests, started at the first need by `infra/servers/start-*.sh`.

What runs already is used, and left running; what was started here is ended with the test run. One that does not start fails the
test that needs it; nothing is skipped.
"""

import os
import re
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).parents[1] / "infra" / "servers"
FOLDER = Path(os.environ.get("SRV") or Path(tempfile.gettempdir()) / "lyhord-servers")
"""Where the scripts keep programs and state."""
PATIENCE = 900
"""Seconds: the first start installs packages and downloads Elasticsearch."""
_started: list[str] = []


@cache
def address(name: str) -> str:
    """The address of the server that start-NAME.sh starts, or finds running."""
    if subprocess.run([SCRIPTS / "alive.sh", name], capture_output=True).returncode:
        _started.append(name)
    done = subprocess.run([SCRIPTS / f"start-{name}.sh"], capture_output=True, text=True, timeout=PATIENCE)
    found = re.search(r"^READY (\S+)", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        raise RuntimeError(f"{name} did not start: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return found[1].rstrip("/") if name == "elasticsearch" else found[1]


def stop_started() -> None:
    """By the process ids that the scripts recorded."""
    if _started:
        subprocess.run([SCRIPTS / "stop.sh", *_started], capture_output=True, timeout=60)


def elasticsearch() -> str:
    """Add /prefix for indices of one's own."""
    return address("elasticsearch")


def postgresql() -> str:
    """Of the superuser, on a database that no test changes: each makes its own (`tests.databases`)."""
    return address("postgres")


def redis() -> str:
    """Database 0; others by another number."""
    return address("redis")


def rabbitmq() -> str:
    return address("rabbitmq")
