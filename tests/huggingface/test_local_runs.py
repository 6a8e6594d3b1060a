"""Whole runs of the built-in tasks through local weights, as a person types them."""

import json
import math

import pytest

from assay.cli.main import main


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)

    def typed(*words: str):
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main([*words])
        said = capfd.readouterr()
        return left.value.code, said.out, said.err

    return typed


def figures(run, *words):
    code, out, err = run("run", *words, "--json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("task", ["json_extraction", "qa"])
def test_thirty_cases_alone_and_with_adapters(run, task, base, zero, random_adapter):
    models = [f"hf/{base}", f"hf/{base}?adapter={zero}", f"hf/{base}?adapter={random_adapter}"]
    flags = [word for model in models for word in ("--model", model)]
    found = figures(run, task, "--split", "validation", *flags, "--max-tokens", "24", "--scorer", "exact",
                    "--scorer", "perplexity", "--concurrency", "8")  # fmt: skip
    plain, same, other = found["models"]
    assert [model["statuses"]["scored"] for model in found["models"]] == [30, 30, 30]
    assert [model["failed_share"] for model in found["models"]] == [0, 0, 0]
    spans = [model["scores"]["perplexity"]["figure"]["value"] for model in found["models"]]
    assert spans[0] == pytest.approx(spans[1], rel=1e-5)
    assert not math.isclose(spans[0], spans[2], rel_tol=1e-3)
    assert plain["tokens"]["output"] == same["tokens"]["output"] > 0
    assert plain["latency"]["p50"]["value"] > 0
    code, out, _ = run("export", "last", "--to", "ndjson")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    replies = {model: [row["reply"] for row in rows if row["model"] == model] for model in models}
    assert replies[models[0]] == replies[models[1]] != replies[models[2]]
    assert other["model"] == models[2]


@pytest.mark.timeout(300)
def test_a_models_yaml_names_an_adapter_and_its_price(run, tmp_path, base, random_adapter):
    text = f"models:\n  tuned:\n    model: hf/{base}\n    adapter: {random_adapter}\n"
    (tmp_path / "models.yaml").write_text(text + "    price: {input: 1, output: 2}\n")
    code, out, err = run("models", "check")
    assert (code, out) == (0, "tuned   answers\n"), err
    found = figures(run, "qa", "--model", "tuned", "--limit", "3", "--max-tokens", "4", "--stream")
    (model,) = found["models"]
    assert model["model"] == "tuned"
    assert model["speed"]["ttft"] is not None
    tokens = model["tokens"]
    assert model["cost_usd"] == pytest.approx((tokens["input"] + 2 * tokens["output"]) / 1e6)


def test_a_missing_folder_and_a_missing_adapter_are_errors_before_anything_runs(run, base, tmp_path):
    code, _, err = run("run", "qa", "--model", "hf/nowhere")
    assert (code, "nowhere: no such file" in err) == (2, True)
    code, _, err = run("run", "qa", "--model", f"hf/{base}?adapter={tmp_path}")
    assert (code, "no adapter_config.json" in err) == (2, True)
