import importlib.util
from pathlib import Path

from assay.emulator.capacity import Capacity
from assay.emulator.faults import FAULTS

DOCS = Path(__file__).parent.parent.parent / "docs"


def pages():
    spec = importlib.util.spec_from_file_location("docs_make", DOCS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAGES


def test_the_page_of_faults_is_the_one_that_the_code_makes():
    assert (DOCS / "faults.md").read_text() == pages()["faults.md"]()


def test_the_page_names_every_fault_and_every_setting_of_capacity():
    text = (DOCS / "faults.md").read_text()
    assert [name for name in FAULTS if f"| `{name}` |" not in text] == []
    named = [name for name in Capacity.__struct_fields__ if f"`{name}" not in text and f"{name}=" not in text]
    assert [name for name in named if f" {name} " not in text] == []
