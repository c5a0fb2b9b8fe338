"""Which kinds of source there are: every module of `spiders.sources` that ends in `COLLECTOR`."""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping

import spiders.sources
from listener.config import Source
from listener.errors import ConfigError
from spiders.collector import Collector, read_options


def collectors() -> Mapping[str, Collector]:
    """Kind → collector, for every kind. Raises ConfigError when two modules claim one kind."""
    return gather(spiders.sources.__path__, spiders.sources.__name__)


def gather(folders: Iterable[str], package: str) -> Mapping[str, Collector]:
    """The collectors of the modules in a package's folders, by kind."""
    found: dict[str, Collector] = {}
    where: dict[str, str] = {}
    for module in pkgutil.iter_modules(folders, f"{package}."):
        one: Collector = importlib.import_module(module.name).COLLECTOR
        if one.kind in found:
            raise ConfigError(f"{module.name} and {where[one.kind]}: both say they are of kind {one.kind!r}")
        found[one.kind], where[one.kind] = one, module.name
    return dict(sorted(found.items()))


def collector(kind: str) -> Collector:
    """The collector of one kind; loads its module only (each brings large libraries). Raises ConfigError naming the
    known kinds."""
    known = [module.name for module in pkgutil.iter_modules(spiders.sources.__path__)]
    if kind not in known:
        raise ConfigError(f"source kind {kind!r} is unknown; known: {', '.join(known)}")
    found: Collector = importlib.import_module(f"{spiders.sources.__name__}.{kind}").COLLECTOR
    return found


def check_options(source: Source) -> None:
    """Raises ConfigError naming source, key, what was got and what is wanted."""
    try:
        wanted = collector(source.kind)
    except ConfigError as e:
        raise ConfigError(f"source {source.id!r}: {e}") from None
    read_options(wanted.options, source)
