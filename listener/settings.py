"""The one place that reads `lyhord.toml` and the environment.

The file holds everything but secrets; secrets come from `LYHORD_…` or, as a file's path, from `LYHORD_…_FILE`.
An error names the file, the line and the key, what was got and what was wanted; a secret's value is in no error and no log.
"""

import difflib
import math
import os
import re
import secrets as random_source
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import TypeAdapter, ValidationError

from listener.config import DAYS, EFFECTS, KINDS, Brand, Config, Event, Rule, Source
from listener.duration import parse_duration, parse_hours
from listener.errors import ConfigError, QueryError
from listener.mention import CHANNELS, LANGUAGES, Signal
from listener.ports import Dimension
from listener.query import parse

DEFAULT_FILE = "lyhord.toml"
_DURATIONS = frozenset({"every", "jitter", "quiet_after", "delay", "retention"})
_TABLE = re.compile(r"^\s*(\[{1,2})\s*([A-Za-z0-9_.\-\s]+?)\s*\]{1,2}\s*(?:#.*)?$")
_ID = re.compile(r"[a-z0-9][a-z0-9_\-]{0,63}")
_CONFIG = TypeAdapter(Config)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """Values that never stand in the file. "" = not given."""

    slack_token: str = ""
    pseudonym_key: str = ""
    reddit_client_id: str = ""
    reddit_client_secret: str = ""
    ledger_password: str = ""
    broker_password: str = ""
    archive_api_key: str = ""
    kibana_api_key: str = ""

    def __repr__(self) -> str:
        return f"Secrets(given: {', '.join(f.name for f in fields(self) if getattr(self, f.name)) or 'none'})"


def load(path: Path) -> Config:
    """Read and check the file; its data folder is meant from where the file lies. Raises ConfigError."""
    try:
        raw = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: no such file. Make one with `lyhord init`, or name it with --config"
        ) from None
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read ({e}); want a UTF-8 text file") from e
    config = parse_config(raw, str(path))
    return in_folder(config, path.parent / config.storage.data)


def parse_config(raw: str, name: str = DEFAULT_FILE) -> Config:
    """The text of the file → Config with absolute meaning. `name` is shown in errors. Raises ConfigError."""
    try:
        table = tomllib.loads(raw)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{name}: not TOML: {e}") from None
    lines = _Lines(raw, name)
    try:
        config = _CONFIG.validate_python(_with_times(table, (), lines))
    except ValidationError as e:
        raise ConfigError("\n".join(lines.explain(error) for error in e.errors()[:10])) from None
    _check(config, lines)
    for i, (event, given) in enumerate(zip(config.calendar, table.get("calendar", ()), strict=True)):
        _check_event(event, i, config, given, lines)
    zoned = tuple(replace(source, zone=source.zone or config.zone) for source in config.sources)
    return replace(config, sources=zoned)


def load_secrets() -> Secrets:
    """Raises ConfigError naming the variable, never its value; also for a LYHORD_ name that we do not know (a typo)."""
    known = {f"LYHORD_{f.name.upper()}": f.name for f in fields(Secrets)}
    allowed = {*known, *(f"{variable}_FILE" for variable in known), "LYHORD_CONFIG"}
    for variable in sorted(os.environ):
        if variable.startswith("LYHORD_") and variable not in allowed:
            near = difflib.get_close_matches(variable, allowed, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
            raise ConfigError(f"environment: unknown setting {variable}{hint}")
    return Secrets(**{field: _secret(variable) for variable, field in known.items()})


def config_path(given: Path | None) -> Path:
    """--config, else LYHORD_CONFIG, else ./lyhord.toml."""
    return given or Path(os.environ.get("LYHORD_CONFIG") or DEFAULT_FILE)


def pseudonym_key(config: Config, secrets: Secrets) -> bytes:
    """The key of the pseudonyms: LYHORD_PSEUDONYM_KEY, else a file beside the data, made once with mode 0600.
    Raises ConfigError."""
    if secrets.pseudonym_key:
        if len(secrets.pseudonym_key) < 16:
            raise ConfigError(
                "LYHORD_PSEUDONYM_KEY: too short; want at least 16 characters, better 32 random ones"
            )
        return secrets.pseudonym_key.encode()
    path = Path(config.storage.data) / "pseudonym.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written under another name and linked: two processes that start together end up with the same key.
        fresh = path.with_name(f"pseudonym.key.{os.getpid()}")
        if not path.exists():
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(random_source.token_hex(32))
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"{path}: cannot keep the key of the pseudonyms there ({e}); want a folder that we may write to"
        ) from e


def ledger_url(config: Config) -> str:
    """With its password: not to be shown."""
    if config.storage.ledger:
        return with_password(config.storage.ledger, load_secrets().ledger_password)
    return f"sqlite:///{Path(config.storage.data) / 'ledger.db'}"


def archive_url(config: Config) -> str:
    return config.storage.archive or f"sqlite:///{Path(config.storage.data) / 'archive.db'}"


def broker_url(config: Config) -> str:
    """With its password: not to be shown."""
    if config.storage.broker:
        return with_password(config.storage.broker, load_secrets().broker_password)
    return "memory://localhost/"


def split_password(url: str) -> tuple[str, str]:
    """An address without its password, and the password ("" = none)."""
    scheme, separator, rest = url.partition("://")
    login, at, place = rest.rpartition("@")
    user, colon, password = login.partition(":")
    return (f"{scheme}{separator}{user}{at}{place}", unquote(password)) if colon else (url, "")


def hand_down(**given: str) -> None:
    """Give secrets to this process and those that it starts, as if they stood in the environment."""
    for name, value in given.items():
        if value:
            os.environ[f"LYHORD_{name.upper()}"] = value


def metrics_folder(new: Path | None = None) -> Path | None:
    """Where this process and those that it starts write their numbers: `new`, from now on, else what the service that started us
    has chosen; None: nobody wants them. (prometheus_client looks for it under this name.)"""
    if new is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(new)
    given = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(given) if given else None


def with_password(url: str, password: str) -> str:
    """The address with this password in it ("" = as it is): not to be shown."""
    if not password:
        return url
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{user}:{quote(password, safe='')}@{place if at else rest}"


def _secret(variable: str) -> str:
    value, file = os.environ.get(variable, ""), os.environ.get(f"{variable}_FILE", "")
    if value and file:
        raise ConfigError(f"environment: both {variable} and {variable}_FILE are set; want one of them")
    if not file:
        return value.strip()
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"environment: {variable}_FILE={file!r} cannot be read ({type(e).__name__})") from e


def _with_times(value: Any, place: tuple[str | int, ...], lines: "_Lines") -> Any:
    """Durations as text → timedelta, days of the calendar → local times, wherever a key asks for one (but for a
    collector's own options)."""
    if place and place[-1] in _DURATIONS:
        return _duration(value, place, lines)
    if len(place) == 3 and place[0] == "calendar" and place[-1] in ("start", "end"):
        return _moment(value, place, lines)
    if isinstance(value, list):
        return [_with_times(item, (*place, i), lines) for i, item in enumerate(value)]
    if not isinstance(value, dict) or (place and place[-1] == "options"):
        return value
    return {key: _with_times(item, (*place, key), lines) for key, item in value.items()}


def _duration(value: Any, place: tuple[str | int, ...], lines: "_Lines") -> Any:
    if value == 0:
        return value
    if not isinstance(value, str):
        raise lines.error(place, f'got {value!r}, want a duration in quotes such as "10m"')
    try:
        return parse_duration(value)
    except ValueError as e:
        raise lines.error(place, str(e)) from None


def _moment(value: Any, place: tuple[str | int, ...], lines: "_Lines") -> datetime:
    """A time as it is; a day's midnight, or for an end the next one."""
    if isinstance(value, datetime):
        return value
    if type(value) is not date:
        want = "a day or a time without quotes, such as 2026-11-27 or 2026-11-27T18:00:00"
        raise lines.error(place, f"got {str(value)!r}, want {want}")
    try:
        return datetime.combine(value + timedelta(days=place[-1] == "end"), time.min)
    except OverflowError:
        raise lines.error(place, f"got {value}, want an earlier day") from None


class _Lines:
    """Finds the line of a key, for errors."""

    def __init__(self, raw: str, name: str) -> None:
        self._name = name
        self._at: dict[tuple[str | int, ...], int] = {}
        table: tuple[str | int, ...] = ()
        seen: dict[tuple[str | int, ...], int] = {}
        for number, line in enumerate(raw.splitlines(), 1):
            if header := _TABLE.match(line):
                table = self._resolve(header[2], seen)
                self._at.setdefault(table, number)
                if header[1] == "[[":
                    seen[table] = seen.get(table, -1) + 1
                    table = (*table, seen[table])
                    self._at.setdefault(table, number)
            elif key := re.match(r"\s*(?:\"([^\"]+)\"|([A-Za-z0-9_\-]+))\s*=", line):
                self._at.setdefault((*table, key[1] or key[2]), number)

    @staticmethod
    def _resolve(header: str, seen: Mapping[tuple[str | int, ...], int]) -> tuple[str | int, ...]:
        """`sources.policy` → ("sources", <newest index>, "policy")."""
        place: tuple[str | int, ...] = ()
        parts = [part.strip() for part in header.split(".")]
        for i, part in enumerate(parts):
            place = (*place, part)
            if place in seen and i < len(parts) - 1:
                place = (*place, seen[place])
        return place

    def error(self, place: tuple[str | int, ...], words: str) -> ConfigError:
        return ConfigError(self._words(place, words))

    def _words(self, place: tuple[str | int, ...], words: str) -> str:
        where = next((self._at[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self._at), None)
        dotted = ".".join(str(part + 1) if isinstance(part, int) else part for part in place)
        return f"{self._name}{f', line {where}' if where else ''}: {dotted}: {words}"

    def explain(self, error: Any) -> str:
        """One of pydantic's errors in our words."""
        place = tuple(part for part in error["loc"] if not str(part).startswith("function-"))
        if error["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
            known = _keys_at(place[:-1])
            near = difflib.get_close_matches(str(place[-1]), known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            return self._words(place, f"unknown key; {hint}")
        if error["type"] in {"missing", "missing_argument"}:
            return self._words(place, "is missing and must be given")
        return self._words(place, f"got {error['input']!r}; {error['msg'][0].lower()}{error['msg'][1:]}")


def _keys_at(place: tuple[str | int, ...]) -> list[str]:
    """The keys that the table at `place` may have."""
    names = [part for part in place if isinstance(part, str)]
    tables: dict[str, Any] = {"brands": Brand, "sources": Source, "rules": Rule, "calendar": Event}
    owner: Any = Config
    for name in names:
        hint = tables.get(name) or next((f.type for f in fields(owner) if f.name == name), None)
        owner = (
            hint
            if isinstance(hint, type)
            else next((a for a in getattr(hint, "__args__", ()) if isinstance(a, type)), Config)
        )
    return [f.name for f in fields(owner)]


def _check(config: Config, lines: _Lines) -> None:
    """What one table alone cannot show."""
    for key in ("brands", "sources", "rules"):
        _check_ids(key, [item.id for item in getattr(config, key)], lines)
    _check_zone(config.zone, ("zone",), lines)
    _check_storage(config, lines)
    for i, brand in enumerate(config.brands):
        _check_brand(brand, i, lines)
    for i, source in enumerate(config.sources):
        _check_source(source, i, lines)
    for i, rule in enumerate(config.rules):
        _check_rule(rule, i, tuple(brand.id for brand in config.brands), lines)


def _check_storage(config: Config, lines: _Lines) -> None:
    wanted = {
        "ledger": ("sqlite:///", "postgresql://"),
        "archive": ("sqlite:///", "http://", "https://"),
        "broker": ("memory://", "redis://", "rediss://", "amqp://", "amqps://"),
    }
    for key, schemes in wanted.items():
        url: str = getattr(config.storage, key)
        shown, password = split_password(url)
        if url and not url.startswith(schemes):
            raise lines.error(
                ("storage", key), f"got {shown!r}, want an address that begins with {' or '.join(schemes)}"
            )
        if password:
            secret = "LYHORD_ARCHIVE_API_KEY" if key == "archive" else f"LYHORD_{key.upper()}_PASSWORD"
            raise lines.error(
                ("storage", key), f"{shown!r} has its password in it; want that in {secret} only"
            )


def _check_ids(key: str, ids: Sequence[str], lines: _Lines) -> None:
    first: dict[str, int] = {}
    for i, item in enumerate(ids):
        if not _ID.fullmatch(item):
            raise lines.error((key, i, "id"), f"got {item!r}, want lower-case letters, digits, - and _")
        if item in first:
            words = f"{item!r} is taken already by {key} number {first[item] + 1}; want another id"
            raise lines.error((key, i, "id"), words)
        first[item] = i


def _check_source(source: Source, i: int, lines: _Lines) -> None:
    _one_of(source.channel, CHANNELS, ("sources", i, "channel"), lines)
    if source.zone:
        _check_zone(source.zone, ("sources", i, "zone"), lines)
    if source.policy:
        known = ("recrawl", "events", "none")
        _one_of(source.policy.deletions, known, ("sources", i, "policy", "deletions"), lines)


def _check_rule(rule: Rule, i: int, brands: tuple[str, ...], lines: _Lines) -> None:
    _one_of(rule.brand, brands, ("rules", i, "brand"), lines)
    if not rule.signals:
        raise lines.error(("rules", i, "signals"), f"is empty, want at least one of {', '.join(Signal)}")
    _each_of(rule.signals, tuple(Signal), ("rules", i, "signals"), lines)
    _each_of(rule.by, tuple(Dimension), ("rules", i, "by"), lines)
    _each_of(rule.active_days, DAYS, ("rules", i, "active_days"), lines)
    if rule.active_hours:
        try:
            parse_hours(rule.active_hours)
        except ValueError as e:
            raise lines.error(("rules", i, "active_hours"), str(e)) from None
    if not 0 < rule.false_alarms_per_30_days < math.inf:
        words = f"got {rule.false_alarms_per_30_days}, want a number above 0"
        raise lines.error(("rules", i, "false_alarms_per_30_days"), words)
    _check_query(rule.filter, ("rules", i, "filter"), lines)


def _check_event(event: Event, i: int, config: Config, given: Mapping[str, Any], lines: _Lines) -> None:
    """`given`: what stands in the file."""
    if not event.title:
        raise lines.error(("calendar", i, "title"), 'is empty, want what happens, such as "Autumn campaign"')
    _check_span(event, i, config.zone, given, lines)
    _each_of(event.brands, tuple(brand.id for brand in config.brands), ("calendar", i, "brands"), lines)
    _one_of(event.kind, KINDS, ("calendar", i, "kind"), lines)
    _one_of(event.effect, EFFECTS, ("calendar", i, "effect"), lines)
    if event.effect != "damp" and "damp" in given:
        words = f'got {event.damp} with effect = "{event.effect}", want effect = "damp" beside it, or no damp'
        raise lines.error(("calendar", i, "damp"), words)
    if not 1 < event.damp < math.inf:
        words = f"got {event.damp}, want how many times the usual voices are expected: a number above 1"
        raise lines.error(("calendar", i, "damp"), words)


def _check_span(event: Event, i: int, zone: str, given: Mapping[str, Any], lines: _Lines) -> None:
    try:
        start, end = event.span(ZoneInfo(zone))
    except OverflowError:
        words = f"got {given['start']} to {given['end']}, want years of our time"
        raise lines.error(("calendar", i), words) from None
    if end <= start:
        words = f"got {given['end']}, want what is later than the start, {given['start']}"
        raise lines.error(("calendar", i, "end"), words)


def _check_brand(brand: Brand, i: int, lines: _Lines) -> None:
    if not brand.queries:
        raise lines.error(
            ("brands", i, "queries"), 'is empty; want at least one query, such as ["fjelltele*"]'
        )
    for language in brand.languages:
        _one_of(language, LANGUAGES, ("brands", i, "languages"), lines)
    for query in brand.queries:
        _check_query(query, ("brands", i, "queries"), lines, empty=False)


def _check_query(query: str, place: tuple[str | int, ...], lines: _Lines, *, empty: bool = True) -> None:
    if query or not empty:
        try:
            parse(query)
        except QueryError as e:
            raise lines.error(place, str(e)) from e


def _check_zone(zone: str, place: tuple[str | int, ...], lines: _Lines) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise lines.error(place, f"got {zone!r}, want an IANA zone such as Europe/Stockholm") from None


def _one_of(got: str, wanted: tuple[str, ...], place: tuple[str | int, ...], lines: _Lines) -> None:
    if got not in wanted:
        near = difflib.get_close_matches(got, wanted, 1)
        hint = f"; did you mean {str(near[0])!r}?" if near else ""
        raise lines.error(
            place,
            f"got {got!r}, want {'one of ' + ', '.join(wanted) if wanted else 'one that the file defines'}{hint}",
        )


def _each_of(
    got: Sequence[str], wanted: tuple[str, ...], place: tuple[str | int, ...], lines: _Lines
) -> None:
    for n, item in enumerate(got):
        _one_of(item, wanted, place, lines)
        if item in got[:n]:
            raise lines.error(place, f"got {item!r} twice, want it once")


def in_folder(config: Config, folder: Path) -> Config:
    """The same configuration with its data in `folder`."""
    return replace(config, storage=replace(config.storage, data=str(folder)))
