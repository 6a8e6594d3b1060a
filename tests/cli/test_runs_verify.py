"""`assay runs verify`: exit code 0 for a sound store, 3 with what is wrong for another."""

import sqlite3
from contextlib import closing


def test_a_sound_store_is_counted(assay):
    assay.run()
    typed = assay("runs", "verify")
    assert (typed.code, typed.err) == (0, "")
    assert typed.out == ".assay/assay.db is sound: 1 runs, 12 trials, 12 calls\n"
    assert assay("runs", "verify", "--json").json["faults"] == []


def test_what_is_wrong_is_said_with_exit_code_3(assay):
    assay.run()
    with closing(sqlite3.connect(assay.folder / ".assay" / "assay.db")) as connection, connection:
        connection.execute("DELETE FROM calls WHERE id = (SELECT min(id) FROM calls)")
    typed = assay("runs", "verify")
    assert typed.code == 3
    assert "has no intent" in typed.out
    assert "is not sound (1 runs, 12 trials, 11 calls)" in typed.err
    machine = assay("runs", "verify", "--json")
    assert machine.code == 3
    assert len(machine.json["faults"]) == len(typed.out.splitlines())


def test_a_store_that_was_cut_short_is_said_to_be_with_exit_code_3(assay):
    assay.run()
    store = assay.folder / ".assay" / "assay.db"
    whole = store.read_bytes()
    store.write_bytes(whole[: len(whole) // 2])
    typed = assay("runs", "verify")
    assert typed.code == 3
    assert ".assay/assay.db" in typed.out
    assert store.read_bytes() == whole[: len(whole) // 2]


def test_no_store_and_a_file_of_something_else_are_usage_errors(assay):
    assert assay("runs", "verify").code == 2
    other = assay.write("other.db", "something else" * 100)
    assert assay("runs", "verify", "--store", other).code in (2, 3)
