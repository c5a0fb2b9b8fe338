"""`lyhord demo --exit --json`, as a script runs it: a forum and a feed are crawled, the spike is found, one alert is out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from console.demo.story import BRAND


@pytest.mark.slow
def test_the_demo_tells_its_story_and_ends_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "console", "demo", "--exit", "--json", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["posts"] > 1_500
    assert outcome["mentions"] >= 500
    (incident,) = outcome["incidents"]
    assert incident["brand"] == BRAND.lower()
    assert "anxiety" in incident["signals"]
    assert incident["alerts"] == 1
    told = done.stderr
    assert "ovanligt många oroliga kunder" in told
    assert "Traceback" not in told
    assert "WARNING" not in told
