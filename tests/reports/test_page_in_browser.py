"""The report page in a real browser: sorted, filtered, walked by keys; hostile text does nothing."""

import os
import shutil
from pathlib import Path

import pytest

from assay.errors import ErrorClass
from assay.reports.html import as_html

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")

pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here (apt-get install chromium)"),
    pytest.mark.timeout(180),
]

HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\">"
    "</details></main><a href=\"javascript:document.title='owned'\">javascript:alert(1)</a>"
    " \u202egnp.exe\u202c"
)


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Opened:
    """A page from disk, with all that it complained of and asked for."""

    def __init__(self, browser, path: Path, **context) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def column(self, table: str, at: int) -> list[str]:
        rows = self.page.locator(f"table:has(caption:text-is('{table}')) tbody tr:not([hidden])")
        return [row.locator("th, td").nth(at).inner_text() for row in rows.all()]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")

    def write(page):
        path = folder / "report.html"
        path.write_text(as_html(page), "utf-8")
        return path

    return write


@pytest.fixture
def opened(browser, written, make):
    pages: list[Opened] = []

    def open_page(trials, **context):
        pages.append(Opened(browser, written(make.page(trials)), **context))
        return pages[-1]

    yield open_page
    for each in pages:
        assert each.complaints == []
        assert [url for url in each.requests if not url.startswith("file:")] == []
        each.context.close()


def hostile(make):
    """Two models, one hostile case, one line of a million characters, Russian text."""
    return [
        *make.duel(20),
        make.trial(100, False, HOSTILE, model="good/a", name=HOSTILE),
        make.trial(101, False, "я" * 1_000_000, model="bad/b", name="длинная строка"),
        make.trial(102, error=ErrorClass.TIMEOUT, model="bad/b", name="нет ответа"),
    ]


def test_a_head_sorts_its_table_up_and_down(opened, make):
    shown = opened(make.duel(20))
    head = shown.page.locator("table:has(caption:text-is('trials that were not right')) thead button").first
    head.click()
    up = shown.column("trials that were not right", 0)
    assert up == sorted(up, key=lambda name: int(name.partition("-")[2]))
    head.click()
    assert shown.column("trials that were not right", 0) == up[::-1]
    assert shown.page.locator("th[aria-sort=descending]").count() == 1


def test_the_filter_leaves_the_rows_that_hold_every_word(opened, make):
    shown = opened(make.duel(20))
    box = shown.page.get_by_label("filter: trials that were not right")
    box.fill("good/a case-10")
    rows = shown.column("trials that were not right", 0)
    assert rows == ["case-10"]
    assert "1 of 12" in shown.page.locator(".filter:has(input[aria-label*='not right'])").inner_text()
    box.fill("")
    assert len(shown.column("trials that were not right", 0)) == 12


def test_keys_walk_the_rows_open_a_trial_and_show_the_help(opened, make):
    shown = opened(make.duel(20))
    page = shown.page
    page.keyboard.press("j")
    first = page.locator("tr.on").inner_text()
    page.keyboard.press("j")
    assert page.locator("tr.on").inner_text() != first
    page.keyboard.press("k")
    assert page.locator("tr.on").inner_text() == first
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('details.trial[open]').length === 1")
    page.keyboard.press("?")
    assert page.locator("dialog#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#help").is_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.keyboard.type("j")
    assert page.evaluate("document.activeElement.value") == "j"


def test_a_hostile_transcript_executes_nothing_and_stays_where_it_is(opened, make):
    shown = opened(hostile(make))
    page = shown.page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.wait_for_timeout(200)
    assert "owned" not in page.title()
    assert page.locator("main script, main img, main iframe").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert (
        "<script>document.title" in page.locator("details.trial").all_inner_texts()[0]
        or page.get_by_text("<script>document.title").count()
    )
    assert page.get_by_text("\\u202e").count()
    assert page.evaluate("document.documentElement.outerHTML.length") < 2_000_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_every_width_in_light_and_dark(opened, make, scheme, width):
    shown = opened(hostile(make), color_scheme=scheme, viewport={"width": width, "height": 800})
    page = shown.page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 28)")
    low = page.evaluate(CONTRAST)
    assert low == []


CONTRAST = """() => {
  const luminance = (rgb) => rgb.map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const parse = (text) => text.match(/[0-9.]+/g).map(Number);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const found = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !node.checkVisibility() || node.closest("svg, script, .skip")) continue;
    const [a, b] = [parse(getComputedStyle(node).color).slice(0, 3), ground(node)].map(luminance);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.add(`${node.tagName}.${node.className}: ${ratio.toFixed(2)}`);
  }
  return [...found];
}"""
"""Elements with text of their own whose contrast is below 4.5 (WCAG AA)."""
