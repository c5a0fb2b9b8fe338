"""`lyhord check`: is everything as it must be?"""

from collections.abc import Callable
from functools import partial
from typing import Any

import typer

from alerts.slack import SlackNotifier
from console.commands.common import ConfigOption, JsonOption
from console.terminal import say, say_json
from listener import schedule, settings
from listener.archive import open_archive
from listener.config import Config
from listener.errors import ConfigError, LyhordError
from listener.ledger import open_ledger
from spiders.registry import check_options
from workers.clock import utc_now
from workers.runtime import open_notifier


def check(config: ConfigOption = None, json_lines: JsonOption = False) -> None:
    """Check the file, the sources, the credentials and the services. Exit code 0 fine, 1 try again, 2 you must act.

    Example:  lyhord check && lyhord run
    """
    path = settings.config_path(config)
    read = settings.load(path)
    results = [
        _result(
            "file",
            lambda: (
                f"{path}: brands {len(read.brands)}, sources {len(read.sources)}, rules {len(read.rules)}"
            ),
        )
    ]
    results += [
        _result(f"source {source.id}", partial(_check_source, source, read)) for source in read.sources
    ]
    results.append(_result("secrets", lambda: repr(settings.load_secrets())))
    results.append(_result("ledger", lambda: _opens(open_ledger, settings.ledger_url(read))))
    results.append(_result("archive", lambda: _opens(open_archive, settings.archive_url(read))))
    results.append(_result("alerts", lambda: _check_alerts(read)))
    for name, words, error in results:
        if json_lines:
            say_json(
                {
                    "part": name,
                    "ok": error is None,
                    "words": words,
                    "permanent": bool(error and error.permanent),
                }
            )
        else:
            say(f"{'ok  ' if error is None else 'FAIL'}  {name}: {words}", attention=error is not None)
    errors = [error for _, _, error in results if error]
    if errors:
        raise typer.Exit(2 if any(error.permanent for error in errors) else 1)


def _result(name: str, look: Callable[[], str]) -> tuple[str, str, LyhordError | None]:
    try:
        return name, look(), None
    except LyhordError as e:
        return name, str(e), e


def _check_source(source: Any, config: Config) -> str:
    schedule.check(source)
    check_options(source)
    if source.policy is None:
        raise ConfigError(
            "has no policy, so it is not read; want [sources.policy] with basis, retention and deletions"
        )
    following = (
        next(schedule.slots(source, zone=config.zone, after=utc_now()), None)
        if schedule.scheduled(source)
        else None
    )
    return (
        f"{source.kind} {source.address}, next run {following:%Y-%m-%d %H:%M} UTC"
        if following
        else f"{source.kind} {source.address}, read by hand only"
    )


def _opens(opener: Callable[[str], Any], url: str) -> str:
    opener(url).close()
    return url if url.startswith("sqlite") else url.split("@")[-1]


def _check_alerts(config: Config) -> str:
    secrets = settings.load_secrets()
    notifier = open_notifier(config, secrets, say)
    if isinstance(notifier, SlackNotifier):
        return f"Slack, workspace {notifier.check()}"
    return "no LYHORD_SLACK_TOKEN: alerts appear in the terminal and on the page"
