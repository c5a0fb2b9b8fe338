"""The page as a browser gets it, from a real server: what it says, and who may see and change what."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from console.web.app import create_app
from console.web.desk import Desk, MessageView
from console.web.guard import COOKIE, HEADERS
from console.web.series import PERIODS, read_series, running_end
from listener.config import Brand, Console
from listener.errors import StoreError
from listener.incident import Incident, Part
from listener.mention import Mention, Signal
from listener.ports import Away, Where
from tests.console import fakes
from tests.console.serving import Client, serving, visiting

INCIDENT = "/incidents/3f9c1a77e0b24d58"
PAGES = ("/", "/?range=7d", "/?range=35d", "/mentions", "/incidents", INCIDENT, "/incidents/b1d2", "/sources")


@pytest.fixture(scope="module")
def crisis() -> Iterator[Client]:
    with visiting(fakes.desk()) as client:
        yield client


def words(html: str) -> str:
    """What a reader sees: without tags, spaces pressed together."""
    text = re.sub(r"<(script|style|desc|title)\b.*?</\1>|<[^>]+>", " ", html, flags=re.S)
    return " ".join(unescape(text).replace("\u2060", "").split())


def title(html: str) -> str:
    found = re.search(r"<h1>(.*?)</h1>", html, re.S)
    return words(found[1]) if found else ""


# ------------------------------------------------------------------------------------------------ what it says


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_in_its_first_line_with_no_inline_style_or_script(
    crisis: Client, path: str
) -> None:
    answer = crisis.ask(path)
    assert answer.status == 200
    assert title(answer.text)
    assert not re.search(r"\sstyle=|<style|<script(?! src=\"/static/page.js\")|\son\w+=", answer.text)
    assert not re.search(r'(?:src|href)="(?!/|#|https?://(?:forum|lyhord)\.example\.org)', answer.text)


def test_the_overview_tells_the_news_the_numbers_and_who_is_not_heard(crisis: Client) -> None:
    html = crisis.ask("/").text
    assert title(html) == "Oron växer sedan 02:15."
    said = words(html)
    assert "39 oroliga röster den senaste timmen, vanligen 0 (0–2). 20 klagomål" in said
    assert (
        "Ida har tagit hand om det. 5 av 6 källor hörda. Inte hörda: Trafikforum (tyst sedan 00:40)." in said
    )
    assert "Senast hört för 2 min sedan." in said
    assert "Streckat: ej hört." in said


def test_the_point_in_the_chart_and_the_list_behind_it_say_the_same_number(crisis: Client) -> None:
    html = crisis.ask("/").text
    newest = re.findall(
        r'<a href="(/mentions\?[^"]*signal=anxiety[^"]*)"[^>]*><span class="tip"><b>([^<]+)', html
    )[-1]
    assert newest[1] == "39 oroliga röster"
    listed = crisis.ask(unescape(newest[0])).text
    assert title(listed) == "39 oroliga röster, lör 14 mars 06:10–07:10."
    assert listed.count('<article class="mention"') == 39


def test_the_lists_links_narrow_it(crisis: Client) -> None:
    html = crisis.ask("/").text
    link = re.search(r'<a href="([^"]*channel=inbox[^"]*)"><span>inkorg</span><b>(\d+)', html)
    assert link
    listed = crisis.ask(unescape(link[1])).text
    assert title(listed).startswith(f"{link[2]} oroliga röster")


def test_pages_of_a_long_list_follow_each_other_without_gaps_or_repeats(crisis: Client) -> None:
    path, seen = "/mentions?signal=anxiety", list[str]()
    for _ in range(3):
        html = crisis.ask(path).text
        seen += re.findall(r'<article class="mention" id="m-(\w+)"', html)
        older = re.search(r'<a href="([^"]+)" rel="next"', html)
        assert older
        path = unescape(older[1])
    assert len(seen) == len(set(seen)) == 120
    times = [m.published_at for i in seen for m in fakes.WORLD if m.id == i]
    assert times == sorted(times, reverse=True)


def test_a_source_is_named_where_its_mentions_are_listed(crisis: Client) -> None:
    html = crisis.ask("/mentions?source=inkorgen&signal=anxiety").text
    assert (
        '<p class="quiet narrowing">Inkorgen · <a href="/mentions?brand=fjelltele&amp;signal=anxiety">Alla källor'
        in html
    )
    assert set(re.findall(r"<span>(Inkorgen|Nätforum|Mobilprat|Torget)</span>", html)) == {"Inkorgen"}


def test_a_mention_says_why_and_links_out_safely(crisis: Client) -> None:
    html = crisis.ask("/mentions?q=dubbeldragning&signal=anxiety").text
    assert '<b class="quoted">dubbeldragning</b>' in html
    assert "Bedömt av lexicon 3." in html
    outward = re.findall(r'<a class="out"[^>]*>', html)
    assert outward
    assert all('rel="noopener noreferrer nofollow"' in link for link in outward)


def test_a_wrong_search_is_answered_in_place_with_its_column(crisis: Client) -> None:
    answer = crisis.ask("/mentions?q=avgift%20OR%20(faktura")
    assert answer.status == 400
    assert title(answer.text) == "Sökningen kan inte läsas."
    assert "avgift OR (faktura\n          <b>^</b>" in answer.text
    assert 'value="avgift OR (faktura"' in answer.text


def test_nothing_found_says_what_to_try(crisis: Client) -> None:
    said = words(crisis.ask("/mentions?q=kanelbulle").text)
    assert "Inga omnämnanden här." in said
    assert "Sök bredare" in said


def test_the_incident_tells_its_story(crisis: Client) -> None:
    said = words(crisis.ask(INCIDENT).text)
    assert "39 oroliga röster under den senast bedömda timmen, vanligen 0 (0–2). 20 klagomål" in said
    assert "03:07 Lyhord märkte det. 03:13 Ida tog hand om det." in said
    assert "Ida angav en känd orsak. Nattens avstämning kördes två gånger" in said
    assert "Vem ringer man ens nu?" in said
    assert "Trafikforum: tyst sedan 00:40." in said


def test_the_incident_shows_what_carries_it_beside_what_is_usual(crisis: Client) -> None:
    html = crisis.ask(INCIDENT).text
    [table] = re.findall(r'<table class="carriers">.*?</table>', html, re.S)
    assert words(table) == (
        "Del Oroliga röster Vanligen Andel av ökningen "
        "Teman trygghet 20 0 51 % pris 11 0 28 % tillgänglighet 8 0 21 % "
        "Kanaler forum 24 0 62 % inkorg 9 0 23 % sociala medier 6 0 15 % "
        "Språk svenska 29 0 74 % bokmål 10 0 26 % "
        "Källor Nätforum 20 0 51 % Inkorgen 9 0 23 % Torget 6 0 15 % Mobilprat 4 0 10 %"
    )
    link = re.search(r'<a href="([^"]*source=torget[^"]*)">Torget', table)
    assert link
    assert set(
        re.findall(r"<span>(Inkorgen|Nätforum|Mobilprat|Torget)</span>", crisis.ask(unescape(link[1])).text)
    ) == {"Torget"}


def test_an_incident_of_an_older_version_does_not_claim_what_is_usual() -> None:
    base = fakes.growing_incident()
    channels = (Part(value="forum", observed=61, expected=None),)
    old = replace(
        base, evidence=replace(base.evidence, channels=channels, languages=(), themes=(), places=())
    )
    with visiting(fakes.desk(incidents=[old])) as client:
        assert "Kanaler forum 61 – – " in words(client.ask(INCIDENT).text)


def test_incidents_are_listed_with_state_and_size(crisis: Client) -> None:
    html = crisis.ask("/incidents").text
    assert title(html) == "1 pågående incident."
    assert "Klagomålen är över: 24 feb 17:30 till 21:30." in words(html)


def test_sources_that_need_attention_come_first(crisis: Client) -> None:
    html = crisis.ask("/sources").text
    names = re.findall(r'<th scope="row"><a[^>]*>([^<]+)', html)
    assert names[:2] == ["Trafikforum", "Omdömesplatsen"]
    assert "<form method" not in html


@pytest.mark.parametrize("language", ["sv", "nb", "en"])
def test_the_page_speaks_the_configured_language(language: str) -> None:
    first = {
        "sv": "Oron växer sedan 02:15.",
        "nb": "Uroen har vokst siden 02:15.",
        "en": "Anxiety has been growing since 02:15.",
    }
    with visiting(fakes.desk(config=fakes.config(language=language))) as client:
        for path in PAGES:
            html = client.ask(path).text
            assert f'<html lang="{language}">' in html
        assert title(client.ask("/").text) == first[language]


def test_several_brands_can_be_chosen() -> None:
    brands = (*fakes.config().brands, Brand(id="polarnett", name="Polarnett", queries=("polarnett",)))
    with visiting(fakes.desk(config=fakes.config(brands=brands))) as client:
        assert title(client.ask("/?brand=polarnett").text) == "Lugnt. 5 av 6 källor hörda."
        assert title(client.ask("/").text) == "Oron växer sedan 02:15."


# ------------------------------------------------------------------------------------------------ nothing, or old


def test_an_empty_archive_says_what_to_do_next() -> None:
    with visiting(fakes.desk([], [], healths=lambda now: [])) as client:
        assert words(client.ask("/").text).count("lyhord collect") == 1
        assert title(client.ask("/").text) == "Inget hört ännu."
        assert title(client.ask("/mentions").text) == "Inga omnämnanden ännu."
        assert title(client.ask("/incidents").text) == "Inga incidenter ännu."
        assert title(client.ask("/sources").text) == "Inga källor ännu."


def test_without_a_brand_the_page_says_how_to_get_one() -> None:
    with visiting(fakes.desk(config=fakes.config(brands=()))) as client:
        assert "lyhord init" in words(client.ask("/").text)


def test_an_old_picture_says_that_it_is_old() -> None:
    with visiting(fakes.desk(incidents=[], now=lambda: fakes.NOW + timedelta(minutes=38))) as client:
        html = client.ask("/").text
        assert "Senast hört för 40 min sedan." in words(html)
        assert title(html) == "För få källor hörda för att säga att det är lugnt."


# ------------------------------------------------------------------------------------------------ others' text


def hostile_mentions() -> list[Mention]:
    texts = [
        "<script>document.title='owned'</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
        "{{ 7*7 }} {% raw %}", "\u202egnirts\u2066 \u200f", "<!--", "</blockquote></main><h1>x</h1>", "z" * 5000,
    ]  # fmt: skip
    urls = [
        "javascript:alert(1)",
        'https://x.example/"onclick="alert(1)',
        "data:text/html,<script>",
        "http://ok.example/<b>",
    ]
    return [
        fakes.mention(
            i,
            text,
            fakes.NOW - timedelta(minutes=i + 1),
            url=urls[i % 4],
            title=text[:300],
            score=fakes.score_of("sv", anxious=True, word=text[:200] or "x"),
        )
        for i, text in enumerate(texts)
    ]


def test_hostile_text_stays_text() -> None:
    def message(incident: Incident) -> MessageView:
        return MessageView(
            text="<script>", blocks=[{"type": "section", "text": {"type": "plain_text", "text": "<script>x"}}]
        )

    base = fakes.growing_incident()
    quotes = tuple(
        replace(q, text="<script>alert(1)</script>", url="javascript:alert(1)") for q in base.evidence.quotes
    )
    hostile = (Part(value="<script>", observed=3, expected=None),)
    evidence = replace(base.evidence, quotes=quotes, words=("<script>",), channels=hostile, places=hostile)
    incident = replace(base, evidence=evidence, acknowledged_by="<script>")
    with visiting(fakes.desk(hostile_mentions(), [incident], message=message)) as client:
        for path in ("/", "/mentions", INCIDENT, "/mentions?q=%3Cscript%3E", "/%3Cscript%3E", "/incidents"):
            html = client.ask(path).text
            assert html.count("<script") == html.count('<script src="/static/page.js"') == 1, path
            assert not re.search(
                r'<img (?!src="/static)|href="\s*(?:javascript|data)|<[^>]*\son\w+\s*=', html
            ), path
            assert html.count("<h1>") == 1, path


# ------------------------------------------------------------------------------------------------ who gets in


def test_without_a_session_every_page_is_locked_and_says_how_to_get_in(crisis: Client) -> None:
    stranger = Client(crisis.port)
    for path in PAGES:
        answer = stranger.ask(path)
        assert answer.status == 401
        assert "lyhord run" in answer.text
        assert "Fjelltele" not in answer.text
    assert stranger.ask("/healthz").text == "ok\n"
    assert stranger.ask("/static/page.css").status == 200


def test_the_locked_page_leads_on_to_where_one_was_going_and_nowhere_else(crisis: Client) -> None:
    assert f'<a href="{INCIDENT}?a=1&amp;b=2">' in Client(crisis.port).ask(f"{INCIDENT}?a=1&b=2").text
    for path in ("//evil.example/incidents", "//evil.example"):
        assert 'href="//evil' not in Client(crisis.port).ask(path).text


def test_the_token_lets_in_once_and_leaves_the_address(crisis: Client) -> None:
    client = Client(crisis.port)
    answer = client.ask(f"/?token={fakes.TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert fakes.TOKEN not in cookie
    assert client.ask("/").status == 200


@pytest.mark.parametrize("token", ["", "wrong", "let-me-in-0123456788", "%00", "%ff", "%C3%A9"])
def test_a_wrong_token_is_told_so_and_gets_no_session(crisis: Client, token: str) -> None:
    answer = Client(crisis.port).ask(f"/?token={token}")
    assert answer.status == 401
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("cookie", ["", "x", "x.y", "a" * 32 + "." + "b" * 64, "é.é", '"', "a=b; ;;"])
def test_a_forged_session_does_not_get_in(crisis: Client, cookie: str) -> None:
    value = f"lyhord_session={cookie}".encode().decode("latin-1")
    assert Client(crisis.port, cookie=value).ask("/").status == 401


def test_a_session_of_another_token_does_not_get_in() -> None:
    with visiting(fakes.desk()) as client, serving(fakes.desk(token="another-token")) as port:
        assert Client(port, cookie=client.cookie).ask("/").status == 401


def test_a_desk_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="token is empty"):
        create_app(fakes.desk(token=""))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "", "127.0.0.1.evil.example", "[", "localhost@evil.example"]
)
def test_a_foreign_host_name_is_refused(crisis: Client, host: str) -> None:
    answer = crisis.ask("/", headers={"Host": host})
    assert answer.status in {400, 421}
    assert "Fjelltele" not in answer.text


def test_our_own_names_are_answered() -> None:
    console = Console(host="192.0.2.7", url="https://lyhord.example.org/")
    with visiting(fakes.desk(config=fakes.config(console=console))) as client:
        for host in (
            "localhost:1",
            "127.0.0.1",
            "[::1]:8642",
            "192.0.2.7:8642",
            "lyhord.example.org",
            "LOCALHOST",
        ):
            assert client.ask("/sources", headers={"Host": host}).status == 200


def test_every_answer_has_the_security_headers(crisis: Client) -> None:
    paths = ["/", "/healthz", "/static/page.js", "/nowhere", "/mentions?q=(", "/static/../app.py"]
    answers = [crisis.ask(path) for path in paths] + [crisis.ask("/", headers={"Host": "evil.example"})]
    for answer in answers:
        assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS
    assert answers[0].headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in answers[0].headers


# ------------------------------------------------------------------------------------------------ forms


def form_of(client: Client) -> dict[str, str]:
    html = client.ask("/sources").text
    found = re.search(
        r'<form method="post" action="/sources/natforum/pause"><input type="hidden" name="key" value="(\w+)"',
        html,
    )
    assert found
    return {"key": found[1]}


Acting = tuple[Client, fakes.RecordedActs]


@pytest.fixture(scope="module")
def acting_desk() -> Iterator[Acting]:
    acts = fakes.RecordedActs()
    with visiting(fakes.desk(acts=acts)) as client:
        yield client, acts


@pytest.fixture
def acting(acting_desk: Acting) -> Acting:
    """A client that may act, and what was done so far: nothing."""
    acting_desk[1].done.clear()
    return acting_desk


def test_a_form_of_ours_acts_and_comes_back_with_a_word(acting: Acting) -> None:
    client, acts = acting
    answer = client.ask(
        "/sources/natforum/pause",
        method="POST",
        form=form_of(client),
        headers={"Sec-Fetch-Site": "same-origin"},
    )
    assert (answer.status, acts.done) == (303, [("pause", "natforum")])
    assert "Nätforum är pausad." in words(client.ask(answer.headers["location"]).text)


def test_an_old_browser_may_prove_itself_by_its_origin(acting: Acting) -> None:
    client, acts = acting
    origin = {"Origin": f"http://127.0.0.1:{client.port}"}
    assert (
        client.ask("/sources/natforum/run", method="POST", form=form_of(client), headers=origin).status == 303
    )
    assert acts.done == [("run", "natforum")]


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    ],
)  # fmt: skip
def test_a_form_from_elsewhere_is_refused(acting: Acting, headers: dict[str, str]) -> None:
    client, acts = acting
    answer = client.ask("/sources/natforum/pause", method="POST", form=form_of(client), headers=headers)
    assert (answer.status, acts.done) == (403, [])


@pytest.mark.parametrize("form", [{}, {"key": ""}, {"key": "0" * 64}, {"key": "é"}, {"key": "x" * 9000}])
def test_a_form_without_its_key_is_refused(acting: Acting, form: dict[str, str]) -> None:
    client, acts = acting
    answer = client.ask(
        "/sources/natforum/pause", method="POST", form=form, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert answer.status in {403, 413}
    assert acts.done == []


def test_a_key_of_another_session_is_refused(acting: Acting) -> None:
    client, acts = acting
    form = form_of(client)
    other = Client(client.port).enter()
    assert (
        other.ask(
            "/sources/natforum/pause", method="POST", form=form, headers={"Sec-Fetch-Site": "same-origin"}
        ).status
        == 403
    )
    assert acts.done == []


def test_a_stranger_cannot_act(acting: Acting) -> None:
    client, acts = acting
    form = form_of(client)
    answer = Client(client.port).ask(
        "/sources/natforum/pause", method="POST", form=form, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert (answer.status, acts.done) == (401, [])


@pytest.mark.parametrize("path", ["/sources/nobody/pause", "/sources/natforum/erase"])
def test_unknown_sources_and_acts_do_not_exist(acting: Acting, path: str) -> None:
    client, acts = acting
    assert (
        client.ask(
            path, method="POST", form=form_of(client), headers={"Sec-Fetch-Site": "same-origin"}
        ).status
        == 404
    )
    assert acts.done == []


def test_reading_changes_nothing(acting: Acting) -> None:
    client, acts = acting
    assert client.ask("/sources/natforum/pause").status in {404, 405}
    assert acts.done == []


# ------------------------------------------------------------------------------------------------ trouble


def test_an_unknown_page_is_told_in_our_voice(crisis: Client) -> None:
    for path in ("/nowhere", "/incidents/unknown", "/incidents/%00"):
        answer = crisis.ask(path)
        assert (answer.status, title(answer.text)) == (404, "Den sidan finns inte.")


def broken_desk(error: Exception) -> Desk:
    def healths(now: object) -> list[object]:
        raise error

    return fakes.desk(healths=healths)


def test_an_archive_that_is_away_is_told_with_the_next_step() -> None:
    with visiting(broken_desk(StoreError("archive: secret path"))) as client:
        answer = client.ask("/")
        assert (answer.status, title(answer.text)) == (503, "Arkivet svarar inte.")
        assert answer.headers["retry-after"] == "30"
        assert "secret path" not in answer.text


def test_a_fault_of_ours_is_told_without_its_details_and_with_the_headers() -> None:
    with visiting(broken_desk(RuntimeError("secret detail"))) as client:
        answer = client.ask("/")
        assert (answer.status, title(answer.text)) == (500, "Något gick fel hos oss.")
        assert "secret detail" not in answer.text
        assert {name: answer.headers.get(name.lower()) for name in HEADERS} == HEADERS


# ------------------------------------------------------------------------------------------------ while the search is away

AWAY = Away(
    since=fakes.NOW - timedelta(hours=2), known_from=fakes.NOW - timedelta(hours=50), why="connection refused"
)
SAID = (
    "Sökningen är nere sedan 05:12. Källor läses, röster räknas och larm går ut. "
    "Här syns bara det som skrivits sedan tors 05:12"
)


@pytest.fixture(scope="module")
def degraded() -> Iterator[Client]:
    with visiting(fakes.desk(away=lambda: AWAY)) as client:
        yield client


@pytest.mark.parametrize("path", [*PAGES, "/nowhere"])
def test_every_page_says_that_the_search_is_away_and_no_other_time(
    crisis: Client, degraded: Client, path: str
) -> None:
    assert SAID in words(degraded.ask(path).text)
    assert "Sökningen är nere" not in crisis.ask(path).text


def test_strangers_are_told_nothing_of_it() -> None:
    with serving(fakes.desk(away=lambda: AWAY)) as port:
        answer = Client(port, cookie=f"{COOKIE}=guessed").ask("/")
    assert answer.status == 401
    assert "nere" not in answer.text


def test_what_is_known_is_counted_and_the_usual_is_not_made_up(degraded: Client) -> None:
    html = degraded.ask("/").text
    assert title(html) == "Oron växer sedan 02:15."
    said = words(html)
    assert "39 oroliga röster den senaste timmen." in said
    assert "den senaste timmen, det vanliga okänt just nu" in said
    assert "vanligen 0" not in said
    assert 'class="band" points=""' in html
    assert "okänt just nu" in said
    assert "Streckat och okänt" not in said, "all of the last 24 hours is known"


def test_what_lies_before_is_hatched_and_never_a_number(degraded: Client) -> None:
    html = degraded.ask("/?range=7d").text
    said = words(html)
    assert "Streckat och okänt: söks fram igen när sökningen är tillbaka." in said
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", html, re.S)
    known = [row for row in rows if "okänt just nu</a>" not in row]
    assert len(rows) == 168
    assert 46 <= len(known) <= 50


def test_an_archive_that_goes_away_while_it_counts_shows_no_half_counts() -> None:
    answers = iter([None, AWAY])
    period, end = PERIODS[1], running_end(fakes.NOW)
    desk = fakes.desk(away=lambda: next(answers))
    [series] = read_series(desk, Where(), [Signal.VOLUME], end=end, period=period).values()
    assert series.band == ()
    assert series.gaps[0].why == "not_known"
    assert series.counts[0] is None
