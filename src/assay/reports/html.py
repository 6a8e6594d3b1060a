"""A report as one HTML file: no outside request, opens from disk, light and dark, narrow and on paper."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from assay.reports import html_configuration, html_sections, html_speed, wording
from assay.reports.html_elements import Child, Html, joined, tag
from assay.reports.html_trials import trials_section
from assay.reports.page import Page
from assay.reports.page_words import answer

PARTS = (
    ("headline", "Headline"),
    ("comparison", "Comparison"),
    ("slices", "Slices"),
    ("further", "Further"),
    ("speed", "Speed"),
    ("cost", "Cost"),
    ("flips", "Flips"),
    ("worst", "Worst trials"),
    ("transcripts", "Transcripts"),
    ("configuration", "Configuration"),
)
KEYS = (
    ("j / k", "next or last row that leads to a trial"),
    ("Enter", "open it"),
    ("/", "filter the table"),
    ("?", "this help"),
    ("Esc", "leave"),
)


def as_html(page: Page) -> str:
    """The whole document."""
    style, script = _asset("report.css"), _asset("report.js")
    sections = (
        html_sections.headline(page),
        html_sections.comparisons(page),
        html_sections.slices(page),
        html_sections.further(page),
        html_speed.speed(page),
        html_speed.cost(page),
        html_sections.flips(page),
        html_sections.worst(page),
        trials_section(page),
        html_configuration.configuration(page),
    )
    present = [part for part in sections if part is not None]
    body = tag(
        "body",
        tag("a", "to the figures", href="#headline", class_="skip"),
        html_sections.head(page),
        _navigation(present),
        tag("main", *present),
        _footer(page),
        _help(),
        tag("script", Html(script)),
    )
    return joined(
        Html("<!doctype html>\n"),
        tag("html", tag("head", *_head(page, style, script)), body, lang="en"),
        Html("\n"),
    )


def _asset(name: str) -> str:
    return (files("assay.reports") / "templates" / name).read_text("utf-8")


def _head(page: Page, style: str, script: str) -> list[Child]:
    policy = (
        f"default-src 'none'; style-src '{_fingerprint(style)}'; script-src '{_fingerprint(script)}';"
        " base-uri 'none'; form-action 'none'"
    )
    return [
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", wording.short(answer(page), 120)),
        tag("style", Html(style)),
    ]


def _fingerprint(text: str) -> str:
    """By which the policy knows our own style and script, and lets no other in."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _navigation(present: list[Html]) -> Html:
    named = [
        tag("a", title, href=f"#{part}")
        for part, title in PARTS
        if any(each.startswith(f'<section id="{part}">') for each in present)
    ]
    return tag("nav", *named, aria_label="parts of the report")


def _footer(page: Page) -> Html:
    commands = [f"assay show {page.runs[0].id}/1", *(f"assay runs show {run.id}" for run in page.runs)]
    versions = sorted({run.version for run in page.runs})
    return tag(
        "footer",
        tag("p", *[joined(tag("code", command), " ") for command in commands]),
        tag("p", f"assay {', '.join(versions)} · press ? for keys", class_="quiet"),
    )


def _help() -> Html:
    rows = [tag("tr", tag("th", tag("kbd", key), scope="row"), tag("td", what)) for key, what in KEYS]
    return tag("dialog", tag("h2", "Keys"), tag("table", tag("tbody", *rows)), id="help")
