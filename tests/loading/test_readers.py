"""Public sets read from small samples in their own forms, and what is wrong in a file."""

import importlib.util
import json

import pytest

from assay.errors import UsageError
from assay.loading import datasets_hub
from assay.loading.bind import load_task
from assay.loading.checking import check_file
from assay.loading.environment import Environment
from assay.loading.plans import read_plan
from assay.loading.readers import bfcl, choice, squad
from assay.message import say
from assay.plan import Plan

SQUAD = {
    "version": "v2.0",
    "data": [
        {
            "title": "Normans",
            "paragraphs": [
                {
                    "context": " The Normans gave their name to Normandy. ",
                    "qas": [
                        {
                            "id": "q1",
                            "question": "What is named after them? ",
                            "answers": [
                                {"text": "Normandy", "answer_start": 30},
                                {"text": "Normandy", "answer_start": 30},
                                {"text": "to Normandy", "answer_start": 27},
                            ],
                            "is_impossible": False,
                        },
                        {
                            "id": "q2",
                            "question": "Who was king?",
                            "answers": [],
                            "plausible_answers": [{"text": "Normans", "answer_start": 4}],
                            "is_impossible": True,
                        },
                    ],
                }
            ],
        }
    ],
}

TRIANGLE = {
    "id": "simple_python_0",
    "question": [[{"role": "user", "content": "The area of a triangle?"}]],
    "function": [
        {
            "name": "geometry.area",
            "description": "The area.",
            "parameters": {
                "type": "dict",
                "properties": {
                    "base": {"type": "integer", "description": "The base."},
                    "scale": {"type": "float"},
                    "size": {"type": "tuple", "items": {"type": "float"}},
                    "any": {"type": "any"},
                    "type": {"type": "string"},
                },
                "required": ["base"],
            },
        }
    ],
}
TRUTH = {"id": "simple_python_0", "ground_truth": [{"geometry.area": {"base": [10], "type": ["right", ""]}}]}


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(name, *rows):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
        return path

    return written


def loaded(task, data, **fields):
    return load_task(Plan(task=task, models=(), data=str(data), **fields), Environment({}))[0]


def fault(task, data) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(task, data)
    return f"{caught.value.problem} | {caught.value.fix}"


def test_a_squad_file_becomes_a_case_a_question(write):
    task = loaded("squad", write("dev-v2.0.json", SQUAD))
    first, second = task
    assert (first.name, first.target) == ("q1", {"any_of": ["Normandy", "to Normandy"]})
    assert first.input == "The Normans gave their name to Normandy.\n\nQuestion: What is named after them?"
    assert (second.target, second.tags) == (squad.UNANSWERABLE, {"answerable": "no", "title": "Normans"})
    assert len(loaded("squad", "dev-v2.0.json", slice={"answerable": "yes"})) == 1
    assert [case.name for case in loaded("squad", "dev-v2.0.json", offset=1, limit=5)] == ["q2"]


def test_the_rows_of_another_copy_of_squad_are_the_same_cases():
    row = {
        "id": "q1",
        "context": "The Normans gave their name to Normandy.",
        "question": "What is named after them?",
        "answers": {"text": ["Normandy", "to Normandy"], "answer_start": [30, 27]},
    }
    found = squad.case(row, "row 0")
    assert found.target == {"any_of": ["Normandy", "to Normandy"]}
    assert squad.case({**row, "answers": {"text": [], "answer_start": []}}, "").target == squad.UNANSWERABLE
    assert squad.case({**row, "is_impossible": True}, "").target == squad.UNANSWERABLE


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no list under data"),
        ({"data": [{"title": "x"}]}, "/data/0: no list under paragraphs"),
        ({"data": [{"paragraphs": [{"context": "c"}]}]}, "/data/0/paragraphs/0: no list under qas"),
        ({"data": [{"paragraphs": [{"qas": [{"question": "q"}]}]}]}, "/qas/0: no context"),
        ({"data": [{"paragraphs": [{"context": "c", "qas": ["q"]}]}]}, "/qas/0: not an object"),
        (
            {"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q", "answers": ["a"]}]}]}]},
            "an answer has no text",
        ),
        (
            {"data": [{"paragraphs": [{"context": "c", "qas": [{"id": "1", "question": "q"}] * 2}]}]},
            "the id '1' stands there already",
        ),
    ],
)
def test_a_broken_squad_file_names_the_place(write, document, said):
    assert said in fault("squad", write("dev.json", document))


def test_a_function_call_set_becomes_tools_and_wanted_calls(write):
    write("possible_answer/BFCL_v4_simple_python.json", TRUTH)
    (found,) = loaded("bfcl", write("BFCL_v4_simple_python.json", TRIANGLE))
    assert found.input == (say("user", "The area of a triangle?"),)
    assert found.tags == {"category": "simple_python"}
    (tool,) = found.tools
    assert (tool.name, tool.parameters["type"]) == ("geometry_area", "object")
    assert tool.parameters["properties"] == {
        "base": {"type": "integer", "description": "The base."},
        "scale": {"type": "number"},
        "size": {"type": "array", "items": {"type": "number"}},
        "any": {},
        "type": {"type": "string"},
    }
    assert found.target == {
        "calls": [
            {
                "name": "geometry_area",
                "arguments": {"base": {"any_of": [10]}, "type": {"any_of": ["right"], "optional": True}},
            }
        ]
    }


def test_the_parts_of_an_accepted_object_are_multiplied_out():
    given = {"a": [1, 2], "b": ["", "x"], "c": [{"d": [True]}]}
    assert bfcl._values(given, "") == [
        {"a": 1, "c": {"d": True}},
        {"a": 1, "b": "x", "c": {"d": True}},
        {"a": 2, "c": {"d": True}},
        {"a": 2, "b": "x", "c": {"d": True}},
    ]
    assert bfcl._values([{"a": [1, 2]}, 3], "") == [[{"a": 1}, 3], [{"a": 2}, 3]]
    with pytest.raises(UsageError, match="accepted with 1024 values"):
        bfcl._values({str(n): [1, 2, 3, 4] for n in range(5)}, "row")


def test_irrelevance_wants_no_call_and_needs_no_answers(write):
    (found,) = loaded(
        "bfcl", write("BFCL_v4_live_irrelevance.json", {**TRIANGLE, "id": "live_irrelevance_7-1"})
    )
    assert found.target == {"calls": []}
    assert found.tags == {"category": "live_irrelevance"}


@pytest.mark.parametrize(
    ("name", "row", "answers", "said"),
    [
        ("BFCL_v4_multi_turn_base.json", TRIANGLE, TRUTH, "multi_turn is not read"),
        ("BFCL_v4_simple_java.json", TRIANGLE, TRUTH, "java is not read"),
        ("BFCL_v4_live_relevance.json", TRIANGLE, TRUTH, "relevance is not read"),
        ("BFCL_v4_simple_python.json", TRIANGLE, None, "possible_answer/ beside it"),
        ("BFCL_v4_simple_python.json", TRIANGLE, {"id": "other"}, "has no answer to 'simple_python_0'"),
        ("BFCL_v4_simple_python.json", {**TRIANGLE, "question": [[], []]}, TRUTH, "2 turns"),
        ("BFCL_v4_simple_python.json", {**TRIANGLE, "question": [["x"]]}, TRUTH, "a message without a text"),
        ("BFCL_v4_simple_python.json", {**TRIANGLE, "function": [3]}, TRUTH, "a function without a name"),
        (
            "BFCL_v4_simple_python.json",
            TRIANGLE,
            {**TRUTH, "ground_truth": [{"f": {"a": 1}}]},
            "a has no list of values",
        ),
    ],
)
def test_what_a_function_call_set_cannot_be_names_the_place(write, name, row, answers, said):
    if answers is not None:
        write(f"possible_answer/{name}", answers)
    assert said in fault("bfcl", write(name, row))


def test_a_csv_of_choices_becomes_lettered_options(write):
    text = "question,A,B,C,D,answer,subject\nWhat is 2+2?,3,4,5,6,b,maths\nBiggest?,x,y,,,x,\n"
    first, second = loaded("choice", write("mc.csv", text))
    assert first.input == "What is 2+2?\n\nA) 3\nB) 4\nC) 5\nD) 6"
    assert (first.target, first.tags) == ("B", {"subject": "maths"})
    assert (second.target, second.input) == ("A", "Biggest?\n\nA) x\nB) y")


@pytest.mark.parametrize(
    ("row", "target"),
    [
        ({"question": "q", "choices": ["x", "y"], "answer": 1}, "B"),
        ({"question": "q", "choices": ["x", "y"], "answer": "y"}, "B"),
        ({"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}, "2"),
        ({"Question": "q", "A": "x", "B": "y", "Answer": "A"}, "A"),
    ],
)
def test_the_forms_of_other_sets_of_choices_are_read(row, target):
    assert choice.case(row, "").target == target


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"q": "x"}, "no question"),
        ({"question": "q", "A": "x", "B": "y"}, "no answer"),
        ({"question": "q", "A": "x", "C": "y", "answer": "A"}, "leave a gap"),
        ({"question": "q", "A": "x", "answer": "A"}, "1 options"),
        ({"question": "q", "A": "x", "B": "y", "answer": "E"}, "'E' is none of the options"),
        ({"question": "q", "A": "x", "B": "x", "answer": "x"}, "is none of the options"),
        ({"question": "q", "choices": ["x", "y"], "answer": 2}, "is none of the options"),
        ({"question": "q", "choices": "xy", "answer": 0}, "no list of texts"),
        ({"question": "q", "A": "x", "B": "y", "answer": 1}, "'1' is none of the options"),
    ],
)
def test_a_broken_choice_says_what_is_wrong(row, said):
    with pytest.raises(UsageError, match=said.replace("+", r"\+")):
        choice.case(row, "mc.csv, line 2")


def test_a_file_of_a_public_set_can_be_checked(write):
    path = write("dev-v2.0.json", SQUAD)
    assert check_file(path, "squad", Environment({})).counts == {"": 2}
    path = write("mc.csv", "question,A,B,answer\nq,x,y,A\nq2,x,y,Z\n")
    (problem,) = check_file(path, "choice", Environment({})).problems
    assert "line 3" in problem.problem


def test_another_answer_is_another_fingerprint(write):
    first = loaded("squad", write("dev.json", SQUAD)).fingerprint
    changed = json.loads(json.dumps(SQUAD).replace("to Normandy", "the Normandy"))
    assert loaded("squad", write("dev.json", changed)).fingerprint != first


def test_a_data_set_without_the_package_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(datasets_hub, "find_spec", lambda _: None)
    assert datasets_hub.INSTALL in fault("gsm8k", "hf:openai/gsm8k:main")


def test_a_plan_names_a_data_set_or_a_folder_beside_it(write, tmp_path):
    (tmp_path / "sub" / "saved").mkdir(parents=True)
    plan = write("sub/plan.yaml", "task: gsm8k\nmodels: [emulated/skill-1]\ndata: hf:saved\n")
    assert read_plan(plan).data == f"hf:{tmp_path}/sub/saved"
    plan = write("sub/plan.yaml", "task: gsm8k\nmodels: [emulated/skill-1]\ndata: hf:openai/gsm8k:main\n")
    assert read_plan(plan).data == "hf:openai/gsm8k:main"


@pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="datasets is not installed: make test-hf runs this"
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_data_set_that_was_saved_to_disk_is_read(tmp_path):
    import datasets

    rows = [{"question": f"{n} + 1?", "answer": f"so #### {n + 1}"} for n in range(5)]
    split = datasets.Dataset.from_list(rows)
    datasets.DatasetDict({"test": split, "train": split.select([0])}).save_to_disk(str(tmp_path / "both"))
    split.save_to_disk(str(tmp_path / "one"))
    assert [case.target for case in loaded("gsm8k", f"hf:{tmp_path / 'both'}")] == ["1", "2", "3", "4", "5"]
    assert len(loaded("gsm8k", f"hf:{tmp_path / 'both'}", split="train")) == 1
    assert len(loaded("gsm8k", f"hf:{tmp_path / 'one'}", limit=3)) == 3
    assert "no split 'dev'" in fault_of(f"hf:{tmp_path / 'both'}", split="dev")


def fault_of(data, **fields) -> str:
    with pytest.raises(UsageError) as caught:
        loaded("gsm8k", data, **fields)
    return f"{caught.value.problem} | {caught.value.fix}"
