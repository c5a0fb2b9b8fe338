"""The command line: `lyhord …`. Each command is a module of `console.commands`; this file only puts them together."""

import logging
import sys

import typer

from console.commands.check import check
from console.commands.collect import collect
from console.commands.demo import demo
from console.commands.detect import detect
from console.commands.erase import erase
from console.commands.incidents import app as incidents
from console.commands.init import init
from console.commands.run import run
from console.commands.score import score
from console.commands.search import search
from console.commands.sources import app as sources
from console.terminal import remark
from listener.errors import LyhordError

app = typer.Typer(
    name="lyhord",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Keeps listening for a brand, and tells you when anxiety or complaints rise above what is normal.",
)
for command in (demo, init, check, run, collect, score, detect, search, erase):
    app.command()(command)
app.add_typer(sources, name="sources")
app.add_typer(incidents, name="incidents")


def main() -> None:
    """Exit 0 fine, 1 failed (try again), 2 the operator must change something."""
    logging.basicConfig(
        level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        app()
    except LyhordError as e:
        remark(f"lyhord: {e}", attention=True)
        sys.exit(2 if e.permanent else 1)
