"""Export a trained generator, for other programs and other people.

    python -m lsgan.export run=<run folder> [key=value …]

    run          the run folder, <runs_dir>/<study>/<run>
    checkpoint   a file, or one of the run's own: best, step-000060.pt or just 60; the newest if not given
    ema          the average of G's weights, as the grids show; else the weights themselves  (true)
    formats      beside safetensors, which is always written: pt2, onnx, or both             (pt2,onnx)
    out          the folder, replaced if it holds an export;
                 <run>/exported/<checkpoint> if not given
    push         <user>/<name>: upload these files to a model hub, with the token of `hf auth login`, or HF_TOKEN
    private      make the repository a private one, if it is not there yet                   (false)
    trust        let the run's config build what is neither lsgan's nor PyTorch's            (false)

Writes model.safetensors (weights), config.yaml (how the network is built, and the recipe of the training; no paths of
this machine), config.json (what goes in and comes out, for other programs), generator.pt2 (torch.export),
generator.onnx, samples.png and README.md, a model card. Each format is loaded back and compared with the original on
the same z. The folder appears whole. `lsgan.load` and lsgan.sample take it as they take a run folder.
"""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING, OmegaConf

import lsgan
from lsgan import arguments, command, config, trained
from lsgan.config.components import did_you_mean, typed
from lsgan.config.settings import RULES, Role
from lsgan.errors import LsganError
from lsgan.replacing import Output, replaced
from lsgan.tracking.console import show_log_lines
from lsgan.tracking.run_record import RunRecord

if TYPE_CHECKING:
    from lsgan.exporting.card import Card
    from lsgan.exporting.programs import Format

_SOFTWARE = "lsgan.export"  # told in config.json
_OURS = Output(
    command=_SOFTWARE,
    what="exports",
    names=re.compile(r"README\.md|config\.(json|yaml)|model\.safetensors|generator\.(pt2|onnx)|samples\.png"),
    is_marked=lambda out: _is_made_by_us(out),
)
_ALWAYS = ("README.md", "config.json", "config.yaml", "samples.png")  # beside the formats
_LATER = ("generated", "evaluation", "exported")  # what other commands put into a folder of ours, as into a run's


@dataclass
class ExportSettings:
    """What the command line may say."""

    run: Path = MISSING
    checkpoint: str | None = None
    ema: bool = True
    formats: str = "pt2,onnx"
    out: Path | None = None
    push: str | None = None
    private: bool = False
    trust: bool = False


def main() -> None:
    """Reads the command line, exports, and pushes if that is wanted."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        return
    wanted = _wanted(sys.argv[1:])
    show_log_lines()
    formats = _formats(wanted.formats)

    from lsgan.exporting import hub

    if wanted.push is not None:
        hub.check(wanted.push)
    run = trained.load(wanted.run, wanted.checkpoint, ema=wanted.ema, device="cpu", trust=wanted.trust)
    out = wanted.out.expanduser() if wanted.out else run.folder / "exported" / _name(run)
    _check_place(out, is_ours=wanted.out is None)
    differences = write(run, formats, out)
    for kind in formats:
        print(f"{out / kind.file}: {_told(differences[kind.name])}")
    print(f"exported {run.checkpoint} to {out}, see {out / 'README.md'}")
    if wanted.push is not None:
        files = [*_ALWAYS, *(kind.file for kind in formats)]
        print(f"pushed to {hub.push(out, files, wanted.push, private=wanted.private)}")


def write(run: trained.TrainedRun, formats: "Sequence[Format]", out: Path) -> dict[str, float | None]:
    """The whole folder, in the place of what was there.

    Args:
        run: on the CPU.
        formats: of the weights.
        out: the folder.

    Returns:
        The largest difference of each format from the original, None where it was not compared.

    Raises:
        LsganError: the generator cannot be written in a format, or the disk does not take it.
    """
    from lsgan.exporting import programs

    told = {"lsgan": lsgan.__version__, "step": str(run.step), "weights": _weights(run)}
    with replaced(out) as folder:
        differences = programs.written(run, list(formats), told, folder)
        files = {kind.name: kind.file for kind in formats}
        run.grid(64).save(folder / "samples.png")
        (folder / "config.yaml").write_text(config.to_yaml(_shared_config(run)), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(_interface(run, files), indent=2) + "\n", encoding="utf-8")
        card = _card(run, files, differences)
        (folder / "README.md").write_text(card.text(), encoding="utf-8")
    return differences


def _wanted(words: list[str]) -> ExportSettings:
    """The command line. `formats=` asks for none."""
    wanted: ExportSettings = typed(ExportSettings, OmegaConf.create(arguments.texts(words, keep=("formats",))))
    if wanted.private and wanted.push is None:
        raise LsganError("private=true says nothing without push=<user>/<name>: add that, or take it out")
    return wanted


def _formats(text: str) -> "list[Format]":
    from lsgan.exporting.programs import FORMATS, WEIGHTS

    names = [name.strip() for name in text.strip("[]").split(",") if name.strip()]
    for name in names:
        if name not in FORMATS:
            choices = ", ".join(FORMATS)
            raise LsganError(f"formats={text}: {name} is none of {choices}{did_you_mean(name, FORMATS)}")
    found = [kind for kind in FORMATS.values() if kind is WEIGHTS or kind.name in names]
    for kind in found:
        kind.check()
    return found


def _check_place(out: Path, *, is_ours: bool) -> None:
    made = [name for name in _LATER if (out / name).is_dir()]
    if made and _is_made_by_us(out):
        raise LsganError(
            f"out={out} holds {' and '.join(made)}, made from the export that is there, and would be replaced whole: "
            "move that away, or name another folder"
        )
    _OURS.check(out, is_ours=is_ours)


def _weights(run: trained.TrainedRun) -> str:
    """average or raw; a run whose average has no half-life has none."""
    return "average" if run.ema and run.settings.ema_halflife_images > 0 else "raw"


def _name(run: trained.TrainedRun) -> str:
    return run.checkpoint.stem + ("" if run.ema else "-without-ema")


def _shared_config(run: trained.TrainedRun) -> dict[str, Any]:
    """The recipe: the run's config without what is of the machine, or of how the training was looked at."""
    recipe = {key: value for key, value in vars(run.settings).items() if RULES[key].role is Role.IDENTITY}
    dataset = {key: _without_place(key, value) for key, value in recipe["dataset"].items()}
    return {**recipe, "dataset": dataset, "steps": run.settings.steps}


def _without_place(key: str, value: Any) -> Any:
    """Of an argument of the data set: the name alone of a file or folder, and no addresses."""
    if key not in RULES["dataset"].free or isinstance(value, int):
        return value
    return Path(value).name if isinstance(value, str) else None if value is None else []


def _interface(run: trained.TrainedRun, files: dict[str, str]) -> dict[str, Any]:
    """What goes into the generator and what comes out, for programs that do not know lsgan."""
    latent = {key: value for key, value in run.settings.latent.items() if key != "_target_"}
    takes: dict[str, Any] = {
        "z": {
            "shape": ["batch", run.latent.dim],
            "dtype": "float32",
            "distribution": {"name": type(run.latent).__name__.lower(), **latent},
        }
    }
    if run.num_classes is not None:
        takes["labels"] = {"shape": ["batch"], "dtype": "int64", "classes": run.num_classes}
    samples: dict[str, Any] = {"shape": ["batch", *run.dataset.shape], "dtype": "float32"}
    if len(run.dataset.shape) == 3:
        samples["range"] = [-1, 1]
    return {
        "library_name": "lsgan",
        "library_version": lsgan.__version__,
        "exported_by": _SOFTWARE,
        "step": run.step,
        "weights": _weights(run),
        "inputs": takes,
        "outputs": {"samples": samples},
        "files": files,
    }


def _card(run: trained.TrainedRun, files: dict[str, str], differences: dict[str, float | None]) -> "Card":
    from lsgan.exporting.card import Card
    from lsgan.exporting.evaluations import results
    from lsgan.exporting.programs import input_names

    weights = _weights(run)
    draw = f"z = {_NOISE.get(type(run.latent).__name__, 'torch.randn({})').format(f'16, {run.latent.dim}')}"
    labels = "" if run.num_classes is None else f"; labels = torch.arange(16) % {run.num_classes}"
    return Card(
        name=run.folder.resolve().name,
        dataset=run.dataset.name,
        is_images=len(run.dataset.shape) == 3,
        facts=_facts(run),
        inputs=", ".join(input_names(run)),
        draw=draw + labels,
        files=files,
        differences=differences,
        evaluated=results(run.folder, run.step, weights),
        step=run.step,
        weights=weights,
    )


_NOISE = {"Normal": "torch.randn({})", "Uniform": "torch.rand({}) * 2 - 1"}


def _facts(run: trained.TrainedRun) -> dict[str, str]:
    from lsgan.losses import describe

    settings, record = run.settings, RunRecord(run.folder)
    parameters = sum(weight.numel() for weight in run.generator.parameters())
    loss = config.build(settings, "loss")
    told = {
        "Network": f"{_called(settings.architecture)}, {parameters:,} parameters",
        "z": f"{run.latent.dim} values, {' '.join((type(run.latent).__doc__ or '').split())}",
    }
    if run.num_classes is not None:
        told["Classes"] = f"{run.num_classes:,}; G takes labels, int64 from 0"
    shape = "×".join(map(str, run.dataset.shape))
    values = (
        f"{shape} (channels, height, width) in [-1, 1]" if len(run.dataset.shape) == 3 else f"points, {shape} values"
    )
    told["Samples"] = values
    told["Loss"] = describe(loss).removeprefix("loss ")
    told["Penalty"] = _called(settings.penalty)
    told["Data"] = f"`{run.dataset.name}`{_identity(record.data)}"
    told["Training"] = f"{run.step:,} updates of G, batches of {settings.batch_size}, seed {settings.seed}"
    is_average = _weights(run) == "average"
    told["Weights"] = "the average of G's over the training" if is_average else "G's own, not an average of them"
    told["Code"] = f"lsgan {record.code.get('lsgan', lsgan.__version__)}{_commit(record.code)}"
    return told


def _called(node: dict[str, Any]) -> str:
    """The component by its name, and what was set of it."""
    values = ", ".join(f"{key} {value}" for key, value in node.items() if key != "_target_")
    name = str(node.get("_target_")).rpartition(".")[2]
    return f"`{name}`" + (f" ({values})" if values else "")


def _identity(data: dict[str, Any]) -> str:
    return "".join(f", {key} {value}" for key, value in data.items() if value is not None)


def _commit(code: dict[str, Any]) -> str:
    commit = code.get("commit")
    return f", commit {commit}{' with changes' if code.get('changed') else ''}" if commit else ""


def _told(difference: float | None) -> str:
    if difference is None:
        return "not compared with the original: onnxruntime is not installed"
    return f"loaded back, differs by {difference:.2g} at most from the original on the same z"


def _is_made_by_us(out: Path) -> bool:
    try:
        content = json.loads((out / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("exported_by") == _SOFTWARE


def _read(words: Sequence[str]) -> list[str]:
    """As other commands have it, but for `formats`, whose commas are no sweep."""
    formats = [word for word in words if word.startswith("formats=")]
    return [*arguments.plain([word for word in words if word not in formats]), *formats]


if __name__ == "__main__":
    command.run(main, read=_read)
