"""The page in a real browser: no policy is broken, everything is reachable by keyboard, readable in every light and width."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.console import fakes
from tests.console.serving import serving

pytestmark = pytest.mark.browser

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
INCIDENT = "/incidents/3f9c1a77e0b24d58"
PAGES = ("/", "/?range=7d", "/?range=35d", "/mentions", "/incidents", INCIDENT, "/sources")
LEFT_BEHIND = "net::ERR_ABORTED"
"""What became of a request when the next page was opened meanwhile."""
TEXT_AA, GRAPHIC_AA = 4.5, 3.0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(fakes.desk(acts=fakes.RecordedActs())) as port:
        yield f"http://127.0.0.1:{port}"


class Visit:
    """A browser window that is let in, and everything it complained about."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.context, self.address, self.complaints = context, address, list[str]()
        self.page: Page = context.new_page()
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.goto(f"{address}/?token={fakes.TOKEN}")

    def _failed(self, request: Request) -> None:
        if request.failure != LEFT_BEHIND:
            self.complaints.append(f"{request.url}: {request.failure}")

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Parametrise indirectly with the options of a browser context."""
    context = browser.new_context(
        **{"viewport": {"width": 1280, "height": 800}, **getattr(request, "param", {})}
    )
    yield Visit(context, address)
    context.close()


def options(**given: object) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("visit", [given], indirect=True)


def test_no_page_complains_or_asks_anybody_else_for_anything(visit: Visit) -> None:
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        visit.open(path)
    assert visit.complaints == []
    assert all(url.startswith(visit.address) for url in asked)


def test_the_policy_is_really_in_force(visit: Visit) -> None:
    page = visit.open("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\" id=x>x</p>')")
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)


def test_from_the_address_bar_to_the_mentions_behind_a_point_by_keyboard(visit: Visit) -> None:
    page = visit.open("/")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.buckets') !== null"):
            break
    tip = page.locator(".buckets a:focus .tip")
    assert tip.inner_text().startswith("39 oroliga röster")
    page.keyboard.press("ArrowLeft")
    assert tip.inner_text().startswith("32 oroliga röster")
    assert page.locator(".buckets a.on").count() == 3
    page.keyboard.press("Enter")
    page.wait_for_url("**/mentions?**")
    assert page.locator("h1").inner_text().startswith("32 oroliga röster")
    assert page.locator("article.mention").count() == 32


def test_a_chart_is_one_stop_on_the_way_and_can_be_left(visit: Visit) -> None:
    page = visit.open("/?range=7d")
    assert page.locator(".buckets a[tabindex='0']").count() == 3
    page.locator(".buckets a[tabindex='0']").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert page.locator(".buckets a:focus .tip").inner_text().startswith("39")
    page.keyboard.press("Home")
    assert page.locator(".buckets").first.locator("a").first.evaluate("a => a === document.activeElement")


def test_the_slash_key_goes_to_the_search_and_stays_a_slash_within_it(visit: Visit) -> None:
    page = visit.open("/")
    page.keyboard.press("/")
    page.keyboard.type("a/b")
    assert page.locator("input[type=search]").input_value() == "a/b"
    page.keyboard.press("Enter")
    page.wait_for_url("**/mentions?q=a%2Fb")


def test_dragging_over_points_opens_the_mentions_between_them(visit: Visit) -> None:
    page = visit.open("/")
    points = page.locator(".leading .buckets a")
    first, last = points.nth(20).bounding_box(), points.nth(22).bounding_box()
    assert first
    assert last
    page.mouse.move(first["x"] + 4, first["y"] + 40)
    page.mouse.down()
    page.mouse.move(last["x"] + 4, last["y"] + 40, steps=8)
    page.mouse.up()
    page.wait_for_url("**/mentions?**")
    assert "lör 14 mars 03:10–06:10" in page.locator("h1").inner_text()


@options(java_script_enabled=False)
def test_without_scripts_everything_is_read_and_reached(visit: Visit) -> None:
    page = visit.open("/")
    assert page.locator("h1").inner_text() == "Oron växer sedan 02:15."
    page.locator(".buckets a").nth(23).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/mentions?**")
    assert page.locator("article.mention").count() == 39
    page.locator("details.why summary").first.click()
    assert page.locator("details.why p").first.is_visible()
    visit.open("/").locator("details.tables summary").click()
    assert page.locator("details.tables tbody tr").count() == 24


def test_a_form_of_the_page_passes_its_own_guard(visit: Visit) -> None:
    page = visit.open("/sources")
    page.get_by_role("button", name="Pausa: Nätforum").click()
    page.wait_for_url("**/sources?done=pause**")
    assert page.locator("[role=status]").inner_text() == "Nätforum är pausad."


def test_nothing_moves_while_the_page_loads(visit: Visit) -> None:
    page = visit.open("/")
    shift = page.evaluate(
        """() => new Promise(done => {
            let sum = 0;
            new PerformanceObserver(list => { for (const e of list.getEntries()) sum += e.value })
                .observe({type: "layout-shift", buffered: true});
            setTimeout(() => done(sum), 300);
        })"""
    )
    assert shift == 0


def test_hovering_moves_nothing(visit: Visit) -> None:
    page = visit.open("/")
    before = page.evaluate("document.documentElement.scrollHeight")
    page.locator(".leading .buckets a").nth(3).hover()
    assert page.locator(".leading .buckets a:hover .tip").is_visible()
    assert page.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth <= innerWidth]") == [
        before, True
    ]  # fmt: skip


RIGHT_EDGES = """() => [...document.querySelectorAll("h1, nav a, button, input, .figure, blockquote, .stacks td")]
    .map(element => element.getBoundingClientRect()).filter(box => box.width).map(box => box.right)"""


@options(viewport={"width": 320, "height": 640})
def test_a_narrow_screen_never_scrolls_sideways(visit: Visit) -> None:
    for path in (*PAGES, "/mentions?q=(" + "a" * 300, "/nowhere"):
        page = visit.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert max(page.evaluate(RIGHT_EDGES)) <= 320, path


def test_there_are_two_sizes_and_two_weights(visit: Visit) -> None:
    found: set[str] = set()
    for path in PAGES:
        found |= set(
            visit.open(path).evaluate(
                """() => [...document.querySelectorAll("body *")].filter(e => e.getClientRects().length && !e.closest("head"))
                    .flatMap(e => { const s = getComputedStyle(e); return ["size " + s.fontSize, "weight " + s.fontWeight]; })"""
            )
        )
    assert found == {"size 16px", "size 28px", "weight 400", "weight 600"}


# ------------------------------------------------------------------------------------------------ contrast


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def token(page: Page, name: str) -> str:
    value = str(
        page.evaluate(
            "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()", name
        )
    )
    assert re.fullmatch("#[0-9a-f]{6}", value), f"--{name} is {value!r}"
    return value


@pytest.mark.parametrize("visit", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_text_and_lines_stand_out_enough_in_light_and_dark(visit: Visit) -> None:
    page = visit.open("/")
    for ground in ("--paper", "--raised"):
        behind = token(page, ground)
        for name in (
            "--ink",
            "--quiet",
            "--link",
            "--alarm",
            "--volume",
            "--complaints",
            "--anxiety",
            "--negative",
        ):
            assert contrast(token(page, name), behind) >= TEXT_AA, (name, ground)
    assert contrast(token(page, "--field"), token(page, "--paper")) >= GRAPHIC_AA


def test_dark_is_really_dark_and_light_is_light(browser: Browser, address: str) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        grounds.append(luminance(token(Visit(context, address).page, "--paper")))
        context.close()
    assert grounds[0] > 0.9
    assert grounds[1] < 0.02


def test_hostile_text_does_nothing_in_a_real_browser(browser: Browser) -> None:
    texts = (
        "<script>window.owned=1</script>",
        '"><img src=x onerror="window.owned=1">',
        "<svg onload=window.owned=1>",
    )
    mentions = [
        fakes.mention(
            i,
            text,
            fakes.NOW,
            url="javascript:window.owned=1",
            title=text,
            score=fakes.score_of("sv", word=text),
        )
        for i, text in enumerate(texts)
    ]
    with serving(fakes.desk(mentions)) as port:
        context = browser.new_context()
        visit = Visit(context, f"http://127.0.0.1:{port}")
        page = visit.open("/mentions")
        assert page.locator("article.mention").count() == 3
        assert page.evaluate("window.owned") is None
        assert page.locator("a[href^='javascript']").count() == 0
        assert visit.complaints == []
        context.close()
