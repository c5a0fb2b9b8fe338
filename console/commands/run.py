"""`lyhord run`: the whole service in one process, on the broker that the file names or Celery's in-process one."""

import secrets as random_source
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import typer
import uvicorn

from console.commands.common import ConfigOption, opened
from console.terminal import say
from console.web.app import create_app
from console.wiring import desk
from listener.errors import ConfigError
from workers.embedded import serving
from workers.runtime import Runtime

PortOption = Annotated[
    int | None, typer.Option(help="Port of the page.  [default: the file's]", show_default=False)
]


def run(config: ConfigOption = None, port: PortOption = None) -> None:
    """Listen: read sources on schedule, score, detect, alert, and show the page. Ends with Ctrl-C.

    Example:  lyhord run --config lyhord.toml
    """
    with opened(config) as runtime, serving_page(runtime, port) as url, serving(runtime):
        say(
            f"Listening to {len(runtime.config.sources)} sources for {len(runtime.config.brands)} brands. The page: {url}"
        )
        wait_for_interrupt()
    say("Stopped; everything that was read is stored.")


@contextmanager
def serving_page(runtime: Runtime, port: int | None) -> Iterator[str]:
    """The page, served from a thread while the block runs; yields the address with which to enter. Raises ConfigError when
    the port is taken."""
    console = runtime.config.console
    token = random_source.token_urlsafe(24)
    app = create_app(desk(runtime, token))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=console.host,
            port=console.port if port is None else port,
            log_level="warning",
            access_log=False,
            server_header=False,
        )
    )
    try:
        sock = server.config.bind_socket()
    except SystemExit:
        raise ConfigError(
            f"port {port or console.port} of {console.host} is taken; want another one: --port, or [console] port in the file"
        ) from None
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True, name="page")
    thread.start()
    try:
        yield f"http://{console.host}:{sock.getsockname()[1]}/?token={token}"
    finally:
        server.should_exit = True
        thread.join(timeout=5)
        sock.close()


def wait_for_interrupt() -> None:
    """Until Ctrl-C, or until a supervisor asks us to end (SIGTERM)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
