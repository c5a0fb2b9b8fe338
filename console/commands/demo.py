"""`lyhord demo`: the main job on the bundled sample."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from console.commands.common import JsonOption
from console.commands.run import page, wait_for_interrupt
from console.demo.run import demo_service, tell_normal, tell_progress
from console.terminal import progress, remark, say, say_json


def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End when the alert is out.")] = False,
    json_line: JsonOption = False,
    port: Annotated[int, typer.Option(help="Port of the page; 0: any free one.")] = 8642,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the data there.  [default: a temporary folder]", show_default=False),
    ] = None,
) -> None:
    """Show what Lyhord does: a forum is crawled, its posts scored, a spike found and alerted; then look at the page.

    Example:  lyhord demo            (Ctrl-C ends it)
              lyhord demo --exit --json
    """
    started = time.monotonic()
    tell = remark if json_line else say
    alert: list[str] = []
    with ExitStack() as stack:
        data = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lyhord-demo-")))
        data.mkdir(parents=True, exist_ok=True)
        runtime, _site = stack.enter_context(demo_service(data, port=port, say=tell, alert=alert.append))
        with progress() as bars:
            task = bars.add_task("starting", total=None)
            outcome = tell_progress(
                runtime, say=tell, show=lambda words: bars.update(task, description=words), started=started
            )
        tell_normal(runtime, outcome.incidents[0][0], tell)
        tell(
            f"Alert     after {outcome.seconds:.0f} s"
            + ("" if runtime.secrets.slack_token else "; in Slack it would read:")
        )
        tell("")
        for line in alert:
            tell(f"  {line}")
        tell("")
        if leave:
            if json_line:
                say_json(outcome.as_json())
            return
        url = stack.enter_context(page(runtime, port))
        tell(f"Look      {url}")
        tell("          Ctrl-C ends the demo.")
        if json_line:
            say_json(outcome.as_json())
        wait_for_interrupt()
