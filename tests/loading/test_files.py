import pytest
from msgspec import Struct

from assay.errors import UsageError
from assay.loading import files


def refused(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return caught.value


def test_a_missing_file_names_the_one_that_was_meant(tmp_path):
    (tmp_path / "cases.jsonl").write_text("{}")
    error = refused(files.read_text, tmp_path / "case.jsonl")
    assert "no such file" in error.problem
    assert "cases.jsonl" in error.fix


def test_a_folder_is_not_a_file(tmp_path):
    assert "is a folder" in refused(files.read_text, tmp_path).problem


def test_bytes_that_are_not_utf8_are_named_by_their_place(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"ab\xff")
    assert "not UTF-8 at byte 2" in refused(files.read_text, path).problem


def test_a_byte_order_mark_is_dropped(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert files.read_json(path) == {"a": 1}


def test_broken_json_is_shown_with_a_caret_under_the_place(tmp_path):
    error = refused(files.parse_json, '[{"name":"a" "qty":2}]', "x.json")
    assert "x.json: not JSON at character 14" in error.problem
    line, caret = error.excerpt.splitlines()
    assert line[len(caret) - 1 :].startswith('"qty"')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1e400}', "1e400 is too large a number"),
        ('{"a": ' + "9" * 5000 + "}", "thousands of digits"),
        ('["\\ud800x"]', "\\ud800 is half a character"),
        ('{"\\uDFFF": 1}', "\\udfff is half a character"),
    ],
)
def test_what_json_readers_disagree_on_is_refused(text, says):
    error = refused(files.parse_json, text, "x")
    assert says in error.problem
    assert len(error.problem) < 100


def test_both_halves_of_a_character_are_one():
    assert files.parse_json('["\\ud83d\\ude00"]', "x") == ["\U0001f600"]


def test_the_seventh_line_is_named(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text('{"input": "x"}\n' * 6 + "{oops}\n")
    error = refused(list, files.read_rows(path))
    assert f"{path}, line 7: not JSON at character 2" in error.problem


def test_a_line_that_is_no_object_is_refused(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_text("[1]\n")
    assert "line 1: a list where an object is wanted" in refused(list, files.read_rows(path)).problem


def test_rows_come_with_the_offsets_at_which_they_stand(tmp_path):
    path = tmp_path / "cases.jsonl"
    path.write_bytes('{"a": "ё"}\n\n{"a": 2}'.encode())
    found = list(files.read_rows(path))
    assert [(number, row["a"]) for number, _, row in found] == [(1, "ё"), (3, 2)]
    assert path.read_bytes()[found[1][1] :] == b'{"a": 2}'


def test_a_csv_row_with_too_many_cells_is_named(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("input,target\na,b\nc,d,e\n")
    assert "line 3: 3 columns, the head has 2" in refused(list, files.read_rows(path)).problem


def test_yaml_refuses_equal_keys_and_reads_no_as_a_text(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: no\n")
    assert files.read_yaml(path)[0] == {"a": "no"}
    path.write_text("a: 1\na: 2\n")
    assert "line 2: not YAML" in refused(files.read_yaml, path).problem


def test_a_date_in_yaml_is_the_text_that_was_written(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 2025-06-08\nb: 2025-06-08T10:00:00Z\nc: 1.5\n")
    assert files.read_yaml(path)[0] == {"a": "2025-06-08", "b": "2025-06-08T10:00:00Z", "c": 1.5}


@pytest.mark.parametrize(
    "value", [".inf", "-.inf", ".nan", "1e400", "!!binary aGk=", "!!set {a}", "!!omap []"]
)
def test_what_yaml_has_and_json_lacks_is_refused_with_its_line(tmp_path, value):
    path = tmp_path / "x.yaml"
    path.write_text(f"a: 1\nb: {value}\n")
    assert "x.yaml, line 2: not YAML" in refused(files.read_yaml, path).problem


def test_yaml_that_is_nested_without_end_is_refused(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: " + "[" * 900 + "]" * 900)
    assert "nested too deeply" in refused(files.read_yaml, path).problem


def test_yaml_makes_no_python_objects(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: !!python/object/apply:os.system [true]\n")
    assert "not YAML" in refused(files.read_yaml, path).problem


class Inner(Struct, forbid_unknown_fields=True):
    rate: float


class Outer(Struct, forbid_unknown_fields=True):
    name: str
    inner: Inner | None = None


def test_an_unknown_field_names_its_line_and_the_one_that_was_meant(tmp_path):
    text = "name: x\ninner:\n  rat: 1\n"
    path = tmp_path / "x.yaml"
    path.write_text(text)
    error = refused(files.convert, {"name": "x", "inner": {"rat": 1}}, Outer, path, text)
    assert error.problem == f"{path}, line 3: unknown field 'rat'"
    assert error.fix == "did you mean rate?"


def test_a_wrong_type_names_its_line_and_its_place(tmp_path):
    text = "name: x\ninner:\n  rate: fast\n"
    path = tmp_path / "x.yaml"
    path.write_text(text)
    error = refused(files.convert, {"name": "x", "inner": {"rate": "fast"}}, Outer, path, text)
    assert error.problem.startswith(f"{path}, line 3: inner.rate: ")
