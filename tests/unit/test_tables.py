"""The one table of the investigator: in plain text, in HTML and in Markdown."""

from netra_incident.table import Table, tally

TABLE = Table(("", "seen"), [("a[red]", "1 | 2\nthree"), ("b", "<4>")], title="Both")


def test_plain_text_keeps_every_character_and_line_of_a_cell() -> None:
    assert repr(TABLE).splitlines() == [
        "Both",
        "",
        "         seen",
        "a[red]   1 | 2",
        "         three",
        "b        <4>",
    ]


def test_the_last_column_gives_way_and_the_others_do_not() -> None:
    plain = repr(Table(("name", "words"), [("x" * 12, "one two three")], width=24))
    assert plain.splitlines() == [
        "name           words",
        "xxxxxxxxxxxx   one two",
        "               three",
    ]


def test_html_escapes_cells_and_names_its_rows() -> None:
    html = TABLE._repr_html_()
    assert html.startswith("<p><strong>Both</strong></p><table>")
    assert '<th scope="row">b</th><td>&lt;4&gt;</td>' in html
    assert "<td>1 | 2<br>three</td>" in html


def test_a_bar_in_a_markdown_cell_stays_a_bar() -> None:
    assert TABLE.markdown().splitlines() == [
        "|  | seen |",
        "| --- | --- |",
        r"| a[red] | 1 \| 2 three |",
        "| b | <4> |",
    ]


def test_values_are_counted_in_their_order() -> None:
    assert tally([500, 200, 200]) == "200 × 2, 500 × 1"
    assert tally([]) == ""
