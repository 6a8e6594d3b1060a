"""The shape of the code: sizes, reasons, names, and one direction of imports."""

import ast
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
ALL = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").glob("*.py"))]
JOBS = ("evaluat", "simulat", "bench", "load_run", "loadtest", "regression", "ab_test")
REASONED = re.compile(r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|type:\s*ignore\[[\w, -]+\])")
VAGUE = {"utils", "util", "common", "helpers", "helper", "manager", "wrapper", "misc"}


def names(path):
    return str(path.relative_to(ROOT))


def body_length(node):
    """Lines of a function without its docstring."""
    length = node.end_lineno - node.lineno + 1
    docstring = ast.get_docstring(node, clean=False)
    return length if docstring is None else length - docstring.count("\n") - 1


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_a_module_stays_under_400_lines_and_its_functions_under_40(path):
    text = path.read_text()
    assert text.count("\n") <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert body_length(node) <= 40, f"{path}:{node.lineno} {node.name}"


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_a_module_says_in_a_line_to_three_what_it_is(path):
    text = path.read_text()
    if text.strip():
        docstring = ast.get_docstring(ast.parse(text))
        assert docstring, path
        assert len(docstring.splitlines()[0]) > 15 or len(docstring.splitlines()) > 1, path


@pytest.mark.parametrize("path", ALL, ids=names)
def test_every_ignore_has_its_reason(path):
    with tokenize.open(path) as file:
        for token in tokenize.generate_tokens(file.readline):
            comment = token.string
            if token.type == tokenize.COMMENT and re.search(r"#\s*(noqa|type:\s*ignore)", comment):
                rest = REASONED.sub("", comment)
                assert len(rest.strip(" #")) >= 5, f"{path}:{token.start[0]} {comment}"


@pytest.mark.parametrize("path", SOURCES, ids=names)
def test_no_name_is_vague(path):
    assert not VAGUE & set(re.split(r"[_/.]", str(path.relative_to(ROOT / "src"))))


def test_outside_the_command_line_nothing_is_named_after_a_job():
    """One loop plays every kind of job: a name would be the beginning of a second engine."""
    named = []
    for path in SOURCES:
        if "cli" in path.parts or "tasks" in path.parts:
            continue
        tree = ast.parse(path.read_text())
        classes = [n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
        named += [
            f"{path}: {name}" for name in (path.stem, *classes) if any(job in name.lower() for job in JOBS)
        ]
    assert named == []


def test_the_run_loop_fits_on_a_page():
    loop = (ROOT / "src/assay/loop.py").read_text()
    play_all = next(node for node in ast.walk(ast.parse(loop)) if getattr(node, "name", "") == "play_all")
    assert body_length(play_all) <= 25
    assert loop.count("\n") <= 260


def test_imports_go_one_way():
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "heavy", ["numpy", "scipy", "torch", "rich", "aiohttp", "ruamel.yaml", "jsonschema_rs"]
)
def test_the_help_imports_nothing_heavy(heavy):
    code = (
        "import sys\nfrom assay.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit({heavy!r} in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=30)
    assert found.returncode == 0


def test_no_file_names_a_registry_or_a_path_of_a_machine():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    ).stdout.splitlines()
    words = re.compile("pypi" + r"\.org|python" + r"hosted|--index" + "-url |/ro" + "ot/|/work" + "/")
    bad = [
        name
        for name in listed
        if (ROOT / name).is_file() and words.search((ROOT / name).read_text(errors="ignore"))
    ]
    assert bad == []
