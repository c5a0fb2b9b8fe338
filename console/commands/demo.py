"""`lyhord demo`: the main job on the bundled sample."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from console.commands.common import JsonOption
from console.commands.run import serving_page, wait_for_interrupt
from console.demo.run import demo_service, tell_alert, tell_normal, tell_progress
from console.demo.servers import rooms
from console.terminal import progress, remark, say, say_json


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End when the alert is out.")] = False,
    json_line: JsonOption = False,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any free one.")] = 8642,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the data there.  [default: a temporary folder]", show_default=False),
    ] = None,
    archive: Annotated[str, typer.Option(help="http://host:port of Elasticsearch.")] = "",
    broker: Annotated[str, typer.Option(help="redis://… or amqp://….")] = "",
    ledger: Annotated[str, typer.Option(help="postgresql://…")] = "",
) -> None:
    """Show what Lyhord does: a forum is crawled, its posts scored, a spike found and alerted; then look at the page.

    Example:  lyhord demo            (Ctrl-C ends it)
              lyhord demo --exit --json
              lyhord demo --archive http://localhost:9200 --broker redis://localhost --ledger postgresql://user@localhost/db

    On servers it keeps to names of its own, and removes them at the end.
    """
    started = time.monotonic()
    tell = remark if json_line else say
    with ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lyhord-demo-")))
        data.mkdir(parents=True, exist_ok=True)
        servers = stack.enter_context(rooms(archive, broker, ledger))
        runtime = stack.enter_context(demo_service(data, port=port, say=tell, servers=servers))
        # Before the story, so that a port that is taken is said at once.
        url = "" if leave else stack.enter_context(serving_page(runtime, port))
        with progress() as bars:
            task = bars.add_task("starting", total=None)
            outcome = tell_progress(
                runtime, say=tell, show=lambda words: bars.update(task, description=words), started=started
            )
        for incident, _ in outcome.incidents:
            tell_normal(runtime, incident, tell)
            tell_alert(runtime, incident, tell)
        if json_line:
            say_json(outcome.as_json())
        if not leave:
            tell(f"Look      {url}")
            tell("          Ctrl-C ends the demo.")
            wait_for_interrupt()
