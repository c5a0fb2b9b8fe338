from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.slack_mock import SlackMock


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[SlackMock]:
    with SlackMock(tmp_path / "accepted.jsonl") as mock:
        yield mock
