"""HTML as values: what is text stays text."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from assay.reports.html_elements import Cell, Column, Html, escaped, joined, table, tag


class Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def parsed(markup):
    parts = Parts()
    parts.feed(markup)
    parts.close()
    return parts


@given(st.text())
def test_no_text_makes_an_element_wherever_it_stands(text):
    parts = parsed(tag("p", text, title=text))
    assert parts.tags == ["p"]


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S"))))
def test_a_printable_text_is_read_back_as_it_was(text):
    assert parsed(tag("p", text)).text == text


def test_control_and_direction_characters_are_written_out():
    assert escaped("a\u202eb\x00\x1b\ud800") == r"a\u202eb\x00\x1b\ud800"


def test_line_ends_blanks_of_every_width_and_joined_emoji_stay():
    kept = "1\u00a0240\u202f₽\n\t👩\u200d👧"
    assert escaped(kept) == kept


def test_attributes_say_what_they_mean():
    assert tag("a", "x", href="#a", class_=None, data_key=1.5, hidden=True, open=False) == (
        '<a href="#a" data-key="1.5" hidden>x</a>'
    )


def test_markup_goes_in_as_it_is_and_nothing_as_nothing():
    assert joined(Html("<b>"), None, ["<", [Html("</b>")]]) == "<b>&lt;</b>"


def test_elements_of_svg_without_content_are_closed():
    assert tag("circle", r=4.5) == '<circle r="4.5"/>'


def test_a_table_has_heads_captions_and_keys_to_sort_by():
    made = table("times", [Column("m", number=False), Column("p50")], [["a", Cell("10 ms", 0.01)]])
    assert "<caption>times</caption>" in made
    assert '<th scope="row">a</th><td class="n" data-key="0.01">10 ms</td>' in made
    assert '<th scope="col" class="n">p50</th>' in made
