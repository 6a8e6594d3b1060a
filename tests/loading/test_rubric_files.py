"""A rubric of one's own, as a file beside the task."""

import pytest

from assay.errors import UsageError
from assay.loading.scorers import build_scorers
from assay.loading.tasks import TaskFolder, TaskForm

RUBRIC = """name: тон
about: Оцени тон ответа.
language: ru
dimensions:
- {id: tone, about: Вежлив ли ответ?, low: 0, high: 10, anchors: {"0": груб, "10": безупречен}}
"""


def judge(folder, rubric):
    return build_scorers([{"judge": {"rubric": rubric}}], TaskFolder(TaskForm(name="t"), folder))[0]


def test_a_rubric_file_has_any_scale_and_any_language(tmp_path):
    (tmp_path / "rubric.yaml").write_text(RUBRIC)
    rubric = judge(tmp_path, "rubric.yaml").rubric
    assert (rubric.name, rubric.language) == ("тон", "ru")
    assert rubric.schema["properties"]["score"]["enum"] == list(range(11))
    assert "10: безупречен" in rubric.text


@pytest.mark.parametrize(
    "text", ["name: r", RUBRIC.replace("high: 10", "high: 0"), RUBRIC.replace("low", "lou")]
)
def test_a_rubric_file_with_a_fault_is_refused(tmp_path, text):
    (tmp_path / "rubric.yaml").write_text(text)
    with pytest.raises(UsageError, match="setting rubric"):
        judge(tmp_path, "rubric.yaml")


def test_a_name_that_is_no_file_and_no_rubric_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no rubric is called 'rubrik\.yaml'"):
        judge(tmp_path, "rubrik.yaml")
