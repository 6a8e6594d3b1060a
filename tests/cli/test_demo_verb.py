"""The demo: every kind of run, no key, no network, and what to type next."""

import time


def test_the_demo_plays_all_kinds_and_ends_with_what_to_type_next(assay):
    began = time.monotonic()
    typed = assay("demo")
    assert typed.code == 0, typed.err
    assert time.monotonic() - began < 20
    assert typed.out.index("1 of 3") < typed.out.index("2 of 3") < typed.out.index("3 of 3")
    assert "emulated/skill-0.95 (emulated)" in typed.out
    assert "\nclient    " in typed.out
    assert "\n  tool    add_to_cart(" in typed.out
    assert "offered/s" in typed.out
    last = typed.out[typed.out.index("everything is in") :]
    assert last.startswith("everything is in .assay/assay.db\n  assay runs list\n")
    for hint in ("export OPENAI_API_KEY=", "ollama pull", "--base-url http://HOST:PORT/v1"):
        assert hint in last


def test_what_the_demo_says_to_type_next_works(assay):
    out = assay("demo", "--store", "my store.db").out
    last = out[out.index("everything is in") :].partition("the same with")[0]
    commands = [line.strip() for line in last.splitlines() if line.startswith("  assay")]
    assert len(commands) == 3
    for line in commands:
        assert line.endswith(" --store 'my store.db'")
        words = line.removesuffix(" --store 'my store.db'").split()[1:]
        assert assay(*words, "--store", "my store.db").code == 0
