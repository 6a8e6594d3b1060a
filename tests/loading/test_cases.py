import json

import pytest

from assay.errors import UsageError
from assay.loading.cases import KEPT, SHORT, CaseFile, Column, Columns, mapped


def written(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def refused(*arguments, **settings):
    with pytest.raises(UsageError) as caught:
        CaseFile(*arguments, **settings)
    return caught.value


def test_a_case_is_made_from_its_line_each_time_it_is_asked_for(tmp_path):
    rows = [{"id": n, "input": f"вопрос {n}", "target": n, "tags": {"n": n}} for n in range(50)]
    cases = CaseFile(written(tmp_path / "c.jsonl", rows))
    assert len(cases) == 50
    assert cases.case(33) == cases.case(33)
    assert cases.case(33).input == "вопрос 33"
    assert cases.case(33).name == "33"
    assert cases.case(33).tags == {"n": "33"}
    assert [case.target for case in cases] == list(range(50))


def test_a_case_without_an_id_is_named_by_its_line(tmp_path):
    assert CaseFile(written(tmp_path / "c.jsonl", [{"input": "a"}, {"input": "b"}])).case(1).name == "2"


def test_equal_ids_are_an_error_that_names_both_lines(tmp_path):
    rows = [{"id": "a", "input": "x"}, {"id": "b", "input": "y"}, {"id": "a", "input": "z"}]
    error = refused(written(tmp_path / "c.jsonl", rows))
    assert "line 3: the id 'a' stands on line 1 already" in error.problem


def test_equal_contents_are_told_apart(tmp_path):
    cases = CaseFile(written(tmp_path / "c.jsonl", [{"input": "x"}, {"input": "x"}]))
    assert cases.case(0).id != cases.case(1).id


def test_an_unknown_field_names_what_was_meant(tmp_path):
    error = refused(written(tmp_path / "c.jsonl", [{"input": "x"}, {"inputs": "y"}]))
    assert "line 2: unknown field 'inputs'" in error.problem
    assert error.fix == "did you mean input?"


def test_messages_may_stand_for_an_input(tmp_path):
    rows = [{"input": [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]}]
    messages = CaseFile(written(tmp_path / "c.jsonl", rows)).case(0).input
    assert [(m.role, m.text) for m in messages] == [("system", "a"), ("user", "b")]


@pytest.mark.parametrize("bad", [[{"role": "boss", "content": "a"}], 7, [1], {"a": 1}])
def test_an_input_of_another_form_is_refused_with_its_line(tmp_path, bad):
    assert "line 1: input" in refused(written(tmp_path / "c.jsonl", [{"input": bad}])).problem


def test_csv_rows_may_span_lines(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('id,input,target\na,"one\ntwo",x\nb,y,z\n')
    cases = CaseFile(path)
    assert [case.input for case in cases] == ["one\ntwo", "y"]


def test_a_slice_an_offset_and_a_limit_select_in_that_order(tmp_path):
    rows = [{"input": str(n), "tags": {"odd": n % 2}} for n in range(20)]
    path = written(tmp_path / "c.jsonl", rows)
    cases = CaseFile(path, keep=lambda case: case.tags["odd"] == "1", offset=2, limit=3)
    assert [case.input for case in cases] == ["5", "7", "9"]


def test_selecting_changes_no_identity(tmp_path):
    path = written(tmp_path / "c.jsonl", [{"input": "x"}, {"input": "x"}, {"input": "x"}])
    assert CaseFile(path, offset=1).case(0).id == CaseFile(path).case(1).id


def test_foreign_columns_are_mapped_and_a_target_may_stand_after_a_mark(tmp_path):
    columns = Columns(input="question", target=Column("answer", after="####"))
    path = written(tmp_path / "c.jsonl", [{"question": "q", "answer": "steps\n#### 18"}])
    case = CaseFile(path, mapped(columns)).case(0)
    assert (case.input, case.target) == ("q", "18")
    path = written(tmp_path / "d.jsonl", [{"question": "q", "answer": "18"}])
    assert "answer holds no '####'" in refused(path, mapped(columns)).problem


def test_an_empty_file_has_no_cases(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_text("")
    assert len(CaseFile(path)) == 0


def test_a_case_that_is_asked_for_again_is_the_same_and_only_the_newest_are_kept(tmp_path):
    path = tmp_path / "many.jsonl"
    rows = [{"input": f"what of {n}?", "target": "x" * (SHORT if n == 3 else 1)} for n in range(KEPT + 10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cases = CaseFile(path)
    first = cases.case(0)
    assert cases.case(0) is first
    assert cases.case(3) is not cases.case(3)
    assert cases.case(3) == cases.case(3)
    every = list(cases)
    assert [case.input for case in every] == [row["input"] for row in rows]
    assert cases.case(0) is not first
    assert cases.case(0) == first
    assert len(cases._made) <= KEPT
