from dataclasses import replace

import pytest
import yaml

from lsgan.evaluation.label import Label
from lsgan.exporting.card import Card
from lsgan.exporting.evaluations import Evaluated, Result

LABEL = Label("lite0", "57934424" + "0" * 56, "resized", "held-out", "412ee8e6" + "0" * 56, 179, 5000, "k=3")
EVALUATED = [
    Evaluated(LABEL, 3, [Result("mind", 0.12345, 0.0031, (0.11, 0.1369)), Result("fid", float("nan"), None, None)]),
    Evaluated(replace(LABEL, num_generated=179), 1, [Result("mind", 0.2, None, None)]),
    Evaluated(replace(LABEL, reference="training", num_real=1618), 3, [Result("mind", 0.1, None, (0.1, 0.1))]),
    Evaluated(replace(LABEL, extractor="digits", weights="f" * 64), 3, [Result("mind", 7.0, 0.5, None)]),
]


def card(**changed):
    told = {
        "name": "lsgan-s0",
        "dataset": "digits",
        "is_images": True,
        "facts": {"Loss": "least\nsquares"},
        "inputs": "z, labels",
        "draw": "z = torch.randn(16, 8); labels = torch.arange(16) % 10",
        "files": {"safetensors": "model.safetensors", "onnx": "generator.onnx"},
        "differences": {"safetensors": 0.0, "onnx": None},
        "evaluated": EVALUATED,
        "step": 60,
        "weights": "average",
    }
    return Card(**{**told, **changed}).text()


def head(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_head_is_what_hubs_read():
    hub = pytest.importorskip("huggingface_hub", reason="the extra export is not installed")
    text = card()
    assert head(text)["pipeline_tag"] == "unconditional-image-generation"
    assert head(text)["library_name"] == "lsgan"
    data = hub.ModelCard(text).data
    # NaN is no number for a table of models
    assert {(each.metric_type, each.dataset_name) for each in data.eval_results} == {("mind", "digits")}
    assert {each.metric_name: each.metric_value for each in data.eval_results} == {
        "mind (lite0 57934424, 5,000 generated against 179 held-out samples)": 0.12345,
        "mind (lite0 57934424, 179 generated against 179 held-out samples)": 0.2,
        "mind (lite0 57934424, 5,000 generated against 1,618 training samples)": 0.1,
        "mind (digits ffffffff, 5,000 generated against 179 held-out samples)": 7.0,
    }
    assert len(data.eval_results) == 4
    assert data.model_name == "lsgan-s0"


def test_points_are_no_images():
    assert "pipeline_tag" not in head(card(is_images=False, evaluated=[]))
    assert head(card(is_images=False, evaluated=[]))["tags"] == ["gan", "lsgan", "points"]


def test_numbers_come_with_their_labels():
    text = card()
    first, second, third, fourth = text.split("\n## Numbers")[1].split("\nFeatures ")[1:]
    assert first == (
        "lite0 57934424 (resized), 5,000 generated against 179 held-out samples (data 412ee8e6); k=3; 3 draws of z:\n\n"
        "| metric | value | interval of the mean | standard error of one draw |\n|---|---|---|---|\n"
        "| mind | 0.1235 | 0.11 to 0.1369 | 0.0031 |\n| fid | nan |  |  |\n"
    )
    assert second.startswith("lite0 57934424 (resized), 179 generated against 179 held-out samples")
    assert "; 1 draw of z:\n" in second
    assert "| mind | 0.2 |  |  |" in second
    assert "1,618 training samples" in third
    assert fourth.startswith("digits ffffffff")
    assert "A value is the mean over the draws of z. The interval is of that mean (95%, Student's t);" in fourth
    assert "None of these weights (step 60, average)" in card(evaluated=[])


def test_files_and_differences():
    text = card(differences={"safetensors": 0.0, "onnx": 3.21e-7})
    assert "| `model.safetensors` | 0 |" in text
    assert "| `generator.onnx` | 3.2e-07 |" in text
    assert "| `generator.onnx` | not compared |" in card()
    assert "torch.export.load" not in text
    assert '{"z": z.numpy(), "labels": labels.numpy()}' in text


def test_a_fact_is_one_line():
    assert "- **Loss**: least squares\n" in card()
