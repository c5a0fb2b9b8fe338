"""Alerts as lines in a terminal, for those who have no Slack (yet)."""

from collections.abc import Callable
from datetime import datetime

from alerts.message import Message


class TerminalNotifier:
    """A Notifier that writes each version of a message below the last; nothing can be found or deleted
    there."""

    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line
        self._count = 0

    def post(self, channel: str, message: Message, key: str) -> str:
        self._count += 1
        self._write(message)
        return str(self._count)

    def update(self, channel: str, ts: str, message: Message) -> None:
        self._write(message)

    def find(self, channel: str, key: str, oldest: datetime) -> list[str]:
        return []

    def delete(self, channel: str, ts: str) -> None:
        """Nothing to do."""

    def _write(self, message: Message) -> None:
        for line in (*message.lines, ""):
            self._write_line(line)
