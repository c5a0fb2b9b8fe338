"""Every benchmark in a row, as one table: `make bench`. With --write it becomes docs/benchmarks.md.

python -m benchmarks.all --write
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

RUNS: dict[str, tuple[str, ...]] = {
    "pipeline": ("--posts", "4000", "--rounds", "3"),
    "matching": (),
    "archive": ("--mentions", "50000"),
    "redaction": (),
    "vader": (),
    "language": ("--honest",),
    "scoring": ("--brief",),
    "detection": ("--suites", "semi,throughput"),
    "scale": ("--parts", "ingest,scoring,celery"),
}
DOCS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def run(name: str, arguments: tuple[str, ...]) -> dict[str, object]:
    """The JSON object on the last line of one benchmark."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"benchmarks.{name} failed:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def rows(result: dict[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """(name, figure), nested objects flattened."""
    out: list[tuple[str, str]] = []
    for key, value in result.items():
        if isinstance(value, dict):
            out += rows(value, f"{prefix}{key} ")
        else:
            out.append(
                (
                    f"{prefix}{key}".replace("_", " "),
                    f"{value:,}" if isinstance(value, int | float) else str(value),
                )
            )
    return out


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md")
    arguments = parser.parse_args()
    results = {name: run(name, options) for name, options in RUNS.items()}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    lines = [
        "# Benchmarks",
        "",
        f"Made by `make bench` on {machine}. Each command is `python -m benchmarks.NAME`.",
        "",
    ]
    for name, result in results.items():
        lines += [f"## {name}", "", "| | |", "|---|---:|"]
        lines += [f"| {label} | {figure} |" for label, figure in rows(result)]
        lines.append("")
    text = "\n".join(lines)
    print(text)
    if arguments.write:
        DOCS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
