"""`lyhord rescore`: brings the scores of old mentions up to date."""

from console.commands.common import ConfigOption, JsonOption, opened
from console.terminal import remark, say, say_json
from workers import stages

BETWEEN_REMARKS = 20_000
"""Mentions."""


def rescore(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Score again every mention that an earlier model has scored, so that counts of then and now can be compared.

    Can be stopped at any time: what is done stays done. Counts and curves change with the scores; incidents stay as they were.

    Example:  lyhord rescore --config lyhord.toml
    """
    with opened(config) as runtime:
        total = stages.rescore(runtime.archive, runtime.scorer, _Progress().say)
        model = runtime.scorer.model
    if json:
        say_json({"model": model, "rescored": total})
    else:
        say(
            f"{total} mentions scored again with {model}." if total else f"Every score is of {model} already."
        )


class _Progress:
    def __init__(self) -> None:
        self._next = BETWEEN_REMARKS

    def say(self, done: int) -> None:
        if done >= self._next:
            remark(f"{done} mentions …")
            self._next += BETWEEN_REMARKS
