"""Site: the desk with the page's language, zone and templates; and `page`, which renders one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console.web.charts import bar
from console.web.desk import Desk, HealthRow
from console.web.guard import allowed_hosts, form_key, is_session, session_of
from console.web.headline import last_heard
from console.web.links import safe_link
from console.web.phrases import Phrases, number
from console.web.times import Clock
from listener.config import Config
from listener.mention import CHANNELS, LANGUAGES, THEMES, UNDETERMINED, Signal

HERE = Path(__file__).parent
EXCERPT = 480
"""Characters of a text that a list shows; the rest unfolds."""


@dataclass(frozen=True, slots=True)
class Site:
    """One running page."""

    desk: Desk
    phrases: Phrases
    zone: ZoneInfo
    hosts: frozenset[str]
    templates: Environment

    def clock(self) -> Clock:
        return Clock(self.desk.now(), self.zone, self.phrases)

    def healths(self) -> Sequence[HealthRow]:
        return self.desk.healths(self.desk.now())


def open_site(desk: Desk) -> Site:
    """Raises ZoneInfoNotFoundError for an unknown zone (the settings check it before)."""
    config: Config = desk.config
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.globals.update(
        {"bar": bar, "number": number, "safe_link": safe_link, "excerpt": excerpt, "channels": CHANNELS,
         "languages": (*LANGUAGES, UNDETERMINED), "themes": THEMES, "signals": tuple(Signal), "last_heard": last_heard}
    )  # fmt: skip
    hosts = allowed_hosts(config.console.host, config.console.url)
    return Site(desk, Phrases(config.language), ZoneInfo(config.zone), hosts, templates)


def site_of(request: Request) -> Site:
    site = request.app.state.site
    if not isinstance(site, Site):
        raise TypeError(f"app.state.site is {type(site).__name__}, want Site")
    return site


def page(
    request: Request, template: str, *, status: int = 200, rows: Sequence[HealthRow] = (), **context: object
) -> HTMLResponse:
    """A rendered page. `rows` are the sources' healths, for the line that says when we last heard something."""
    site = site_of(request)
    session = session_of(request.headers)
    inside = is_session(session, site.desk.token)
    common = {
        "say": site.phrases, "clock": site.clock(), "brands": site.desk.config.brands, "zone": site.desk.config.zone,
        "here": request.url.path, "key": form_key(session, site.desk.token) if session else "", "rows": rows,
        "asked": request.query_params, "away": site.desk.away() if inside and status < 500 else None,
    }  # fmt: skip
    return HTMLResponse(site.templates.get_template(template).render(common | context), status_code=status)


def excerpt(text: str) -> str:
    """The text, or its beginning cut at a space."""
    if len(text) <= EXCERPT:
        return text
    cut = text[:EXCERPT].rsplit(None, 1)[0]
    return f"{cut} …"
