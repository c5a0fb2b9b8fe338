"""`lyhord page`: only the page, where workers and scheduler run elsewhere."""

from console.commands.common import ConfigOption, opened
from console.commands.run import PortOption, serving_page, wait_for_interrupt
from console.terminal import say
from listener import settings
from workers import numbers
from workers.app import use_broker


def page(config: ConfigOption = None, port: PortOption = None) -> None:
    """Show the page and nothing else. Ends with Ctrl-C.

    Example:  lyhord page --config lyhord.toml
    """
    with opened(config) as runtime:
        use_broker(settings.broker_url(runtime.config))
        numbers.begin(runtime.config)
        try:
            with serving_page(runtime, port) as url:
                say(f"The page: {url}")
                wait_for_interrupt()
        finally:
            numbers.end()
