"""Worlds of task folders: what is wrong with their functions is told as their owner's."""

import pytest

from assay.errors import UsageError
from assay.loading.worlds import read_world
from assay.plugins import made

WORLD = """
world: shop
tables: {goods: {key: sku}}
tools: [{name: look, effect: read, description: {en: Looks.}}]
"""
BROKEN = [
    ("def look(world:\n", "SyntaxError on line 1"),
    ("a = 1\nb = a / 0\n", "ZeroDivisionError on line 2"),
    ("import no_such_module_here\n", "No module named 'no_such_module_here'"),
]


@pytest.mark.parametrize(("code", "says"), BROKEN)
def test_functions_that_cannot_be_loaded_are_no_fault_of_assay(tmp_path, code, says):
    (tmp_path / "world.yaml").write_text(WORLD)
    (tmp_path / "tools.py").write_text(code)
    with pytest.raises(UsageError) as raised:
        read_world(tmp_path / "world.yaml")
    assert f"{tmp_path / 'tools.py'}: {says}" in raised.value.problem


@pytest.mark.parametrize(("code", "says"), BROKEN)
def test_a_module_of_ones_own_that_cannot_be_loaded_is_no_fault_of_assay(tmp_path, monkeypatch, code, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"broken_module_{BROKEN.index((code, says))}"
    (tmp_path / f"{name}.py").write_text(code)
    with pytest.raises(UsageError) as raised:
        made(f"python:{name}:make", "scorer")
    assert f"python:{name}:make: {says}" in raised.value.problem
