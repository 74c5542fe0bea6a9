"""The README.md of an exported generator: what it is, how to load it, its numbers with their labels.

The head is YAML, as model hubs read it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from lsgan.evaluation.label import SHOWN
from lsgan.exporting.evaluations import Evaluated


@dataclass(frozen=True)
class Card:
    """What the card says.

    Args:
        name: of the run.
        dataset: its name.
        is_images: else points.
        facts: what is to be known, by its title.
        inputs: of G, as Python writes them: `z`, or `z, labels`.
        draw: the line of Python that makes these inputs for 16 samples, with `torch`.
        files: format -> the file.
        differences: format -> the largest difference from the original; None where it was not compared.
        evaluated: numbers, with what they mean.
        step: G updates.
        weights: average or raw.
    """

    name: str
    dataset: str
    is_images: bool
    facts: Mapping[str, str]
    inputs: str
    draw: str
    files: Mapping[str, str]
    differences: Mapping[str, float | None]
    evaluated: list[Evaluated]
    step: int
    weights: str

    def text(self) -> str:
        """The whole file."""
        facts = "\n".join(f"- **{title}**: {_one_line(fact)}" for title, fact in self.facts.items())
        sections = [
            f"---\n{self._head()}---\n",
            f"# {_one_line(self.name)}\n",
            f"The generator of a GAN that [lsgan](https://arxiv.org/abs/1611.04076) has trained on `{self.dataset}`.\n",
            "![samples](samples.png)\n",
            f"## What it is\n\n{facts}\n",
            f"## How to load it\n\n{self._loading()}",
            f"## Numbers\n\n{self._numbers()}",
            f"## Files\n\n{self._files()}",
        ]
        return "\n".join(sections)

    def _head(self) -> str:
        head: dict[str, Any] = {"library_name": "lsgan"}
        if self.is_images:
            head["pipeline_tag"] = "unconditional-image-generation"
        head["tags"] = ["gan", "lsgan", *(["image-generation"] if self.is_images else ["points"])]
        metrics = [metric for each in self.evaluated for metric in _in_head(each)]
        if metrics:
            task = {"type": head.get("pipeline_tag", "other")}
            data = {"type": self.dataset, "name": self.dataset}
            head["model-index"] = [
                {"name": self.name, "results": [{"task": task, "dataset": data, "metrics": metrics}]}
            ]
        return yaml.safe_dump(head, sort_keys=False, allow_unicode=True)

    def _loading(self) -> str:
        lines = [
            "import lsgan\n",
            'run = lsgan.load("<this folder>")',
            f"images = run.sample(64, seed=0)  # {'[64, C, H, W] in [-1, 1]' if self.is_images else '[64, 2]'}",
            "run.picture(images)",
        ]
        parts = [
            "With lsgan (`config.yaml` says how the network is built, `model.safetensors` holds its weights; neither "
            "can run code):\n",
            _python(*lines),
            'From a hub the folder comes by `huggingface_hub.snapshot_download("<user>/<name>")`.\n',
        ]
        if "pt2" in self.files:
            parts += [
                "With PyTorch alone. A `.pt2` may hold code that runs when it is loaded: take one from people whom you "
                "trust only.\n",
                _python(
                    "import torch\n",
                    f'generator = torch.export.load("{self.files["pt2"]}").module()',
                    self.draw,
                    f"samples = generator({self.inputs})",
                ),
            ]
        if "onnx" in self.files:
            fed = ", ".join(f'"{name}": {name}.numpy()' for name in self.inputs.split(", "))
            parts += [
                "With ONNX Runtime, or whatever else reads ONNX:\n",
                _python(
                    "import onnxruntime, torch\n",
                    f'session = onnxruntime.InferenceSession("{self.files["onnx"]}")',
                    self.draw,
                    f"(samples,) = session.run(None, {{{fed}}})",
                ),
            ]
        return "\n".join(parts)

    def _numbers(self) -> str:
        if not self.evaluated:
            return (
                f"None of these weights (step {self.step}, {self.weights}): `python -m lsgan.evaluate` takes them, and "
                "the next export tells them.\n"
            )
        note = (
            "A value is the mean over the draws of z. The interval is of that mean (95%, Student's t); the standard "
            "error is the typical one of a single draw, where the metric knows it. Numbers with different labels "
            "cannot be compared with each other.\n"
        )
        return "\n".join([*map(_table, self.evaluated), note])

    def _files(self) -> str:
        rows = ["| file | largest difference from the original on the same z |", "|---|---|"]
        for kind, file in self.files.items():
            difference = self.differences[kind]
            rows.append(f"| `{file}` | {'not compared' if difference is None else f'{difference:.2g}'} |")
        return "\n".join(rows) + "\n"


def _in_head(evaluated: Evaluated) -> list[dict[str, Any]]:
    """A name tells what the number means, for a hub shows it without the rest of the card."""
    label = evaluated.label
    meaning = (
        f"{label.extractor} {label.weights[:SHOWN]}, {label.num_generated:,} generated against {label.num_real:,} "
        f"{label.reference} samples"
    )
    return [
        {"type": result.metric, "value": result.value, "name": f"{result.metric} ({meaning})"}
        for result in evaluated.results
        if math.isfinite(result.value)
    ]


def _table(evaluated: Evaluated) -> str:
    label, draws = _one_line(evaluated.label.told()), evaluated.draws
    rows = [
        f"{label[0].upper()}{label[1:]}; {draws} draw{'' if draws == 1 else 's'} of z:\n",
        "| metric | value | interval of the mean | standard error of one draw |",
        "|---|---|---|---|",
    ]
    for result in evaluated.results:
        error = "" if result.error is None else f"{result.error:.2g}"
        interval = "" if result.interval is None else "{:.4g} to {:.4g}".format(*result.interval)
        rows.append(f"| {_one_line(result.metric)} | {result.value:.4g} | {interval} | {error} |")
    return "\n".join(rows) + "\n"


def _python(*lines: str) -> str:
    return "```python\n" + "\n".join(lines) + "\n```\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
