"""What a process needs to work: configuration, ledger, archive and the pure tools, opened once and handed to the stages."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alerts.delivery import Notifier
from alerts.slack import SlackNotifier
from alerts.terminal import TerminalNotifier
from listener import settings
from listener.config import Config, Rule, Source
from listener.errors import ConfigError
from listener.intake import Tools
from listener.ports import Archive, Ledger, Scorer
from listener.pseudonym import pseudonymiser
from listener.stores import open_stores
from workers.clock import utc_now
from workers.scoring import open_scorer
from workers.scoring.language import identify_all

TERMINAL = "terminal"
"""The channel of alerts where no Slack token is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Built by `open_runtime`; a test builds its own from parts."""

    path: Path
    """The file that child processes read."""
    config: Config
    secrets: settings.Secrets
    ledger: Ledger
    archive: Archive
    tools: Tools
    scorer: Scorer
    notifier: Notifier
    clock: Callable[[], datetime]

    def source(self, source_id: str) -> Source:
        """Raises ConfigError with the known ids."""
        for source in self.config.sources:
            if source.id == source_id:
                return source
        known = ", ".join(source.id for source in self.config.sources) or "none"
        raise ConfigError(f"source {source_id!r}: no such source; known: {known}")

    def channels(self, rule: Rule) -> tuple[str, ...]:
        """Where a rule alerts."""
        if not self.secrets.slack_token:
            return (TERMINAL,)
        return (rule.slack_channel or self.config.slack.channel,)

    def close(self) -> None:
        self.archive.close()
        self.ledger.close()


def open_runtime(
    path: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    write_line: Callable[[str], None] = lambda _line: None,
) -> Runtime:
    """Read the file and open everything. `write_line` receives alerts when there is no Slack. Raises ConfigError, StoreError."""
    config, secrets = settings.load(path), settings.load_secrets()
    tools = Tools.of(config.brands, pseudonymiser(settings.pseudonym_key(config, secrets)), identify_all)
    ledger, archive = open_stores(config)
    return Runtime(
        path=path,
        config=config,
        secrets=secrets,
        ledger=ledger,
        archive=archive,
        tools=tools,
        scorer=open_scorer(),
        notifier=open_notifier(config, secrets, write_line),
        clock=clock,
    )


def open_notifier(config: Config, secrets: settings.Secrets, write_line: Callable[[str], None]) -> Notifier:
    """Slack when there is a token, else the terminal. Raises ConfigError for a token without any channel."""
    if not secrets.slack_token:
        return TerminalNotifier(write_line)
    if not config.slack.channel and not all(rule.slack_channel for rule in config.rules):
        raise ConfigError(
            'LYHORD_SLACK_TOKEN is given but a rule has no channel; want [slack] channel = "C…" in the file'
        )
    return SlackNotifier(secrets.slack_token, base_url=config.slack.base_url)
