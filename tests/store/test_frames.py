"""Parquet and data frames carry the same trials as every other form."""

import builtins
import json
from decimal import Decimal

import pytest
from msgspec import structs

from assay.errors import UsageError
from assay.store.export import TrialRow, export_to, trial_row
from assay.store.frames import frame, write_parquet
from assay.trial import Outcome, Score, Status, Transcript

pl = pytest.importorskip("polars", reason="the extra frames is not installed")


@pytest.fixture
def trials(sample):
    """A scored trial, one with labels, one that failed with a hostile text, one without a price."""
    played = sample.trial(sample.done(sample.call(), 'Four, "4"\n'), Status.SCORED)
    scored = structs.replace(played, scores=(Score("exact", True), Score("wer", 0.5), Score("kind", "good")))
    other = structs.replace(
        scored, key="b" * 64, scores=(Score("exact", False), Score("wer", 2), Score("kind", 3.0)), repeat=1
    )
    failed = structs.replace(
        sample.trial(sample.done(sample.call(), "bad \ud800 text"), Status.FAILED), key="c" * 64, scores=()
    )
    unpriced = structs.replace(
        scored,
        key="d" * 64,
        calls=tuple(structs.replace(call, cost=None) for call in scored.calls),
        transcript=Transcript((), Outcome("max_turns")),
    )
    return [scored, other, failed, unpriced]


def test_parquet_carries_the_same_trials_as_json(trials, tmp_path):
    assert write_parquet(tmp_path / "t.parquet", iter(trials), "qa") == 4
    export_to(tmp_path / "t.json", iter(trials), "json", task="qa")
    wanted = json.loads((tmp_path / "t.json").read_text())["results"]
    found = pl.read_parquet(tmp_path / "t.parquet").to_dicts()
    for row in found:
        row["scores"], row["tags"] = json.loads(row["scores"]), json.loads(row["tags"])
        row["cost_usd"] = None if row["cost_usd"] is None else float(row["cost_usd"])
    assert found == wanted
    assert list(found[0]) == list(TrialRow.__struct_fields__)


def test_columns_have_types_also_where_all_is_missing(trials, tmp_path):
    write_parquet(tmp_path / "t.parquet", [trials[3]])
    schema = pl.read_parquet(tmp_path / "t.parquet").schema
    assert schema["cost_usd"] == pl.Decimal(38, 15)
    assert (schema["reply"], schema["ttft_ms"], schema["repeat"]) == (pl.String, pl.Float64, pl.Int64)
    write_parquet(tmp_path / "none.parquet", [])
    assert pl.read_parquet(tmp_path / "none.parquet").schema == schema


def test_a_cost_is_exact(trials, tmp_path):
    write_parquet(tmp_path / "t.parquet", trials)
    cost = pl.read_parquet(tmp_path / "t.parquet")["cost_usd"][0]
    assert cost == trial_row(trials[0]).cost_usd
    assert isinstance(cost, Decimal)


def test_a_frame_has_a_column_for_each_score_and_tag(trials):
    found = frame(trials, "qa")
    assert found["score.exact"].to_list() == [True, False, None, True]
    assert found["score.wer"].to_list() == [0.5, 2.0, None, 0.5]
    assert found["score.kind"].to_list() == ["good", "3.0", None, "good"]
    assert found["tag.level"].to_list() == ["easy"] * 4
    assert found["task"].unique().to_list() == ["qa"]
    assert found["reply"][2] == "bad \ufffd text"


def test_without_polars_the_remedy_is_said(trials, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "polars":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError) as refused:
        write_parquet(tmp_path / "t.parquet", trials)
    assert "assay[frames]" in refused.value.fix
    assert list(tmp_path.iterdir()) == []
