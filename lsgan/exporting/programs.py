"""A generator in the formats that others load: each written, loaded back, and compared with the original."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from lsgan.errors import LsganError
from lsgan.streams import stream
from lsgan.tracking.run_record import EXPORTED
from lsgan.trained import TrainedRun

_SIZES = (1, 2, 5)  # of the batches that are compared: none of them need be that which a program was traced with
_TRACED = 3

Inputs = tuple[Tensor, ...]  # z [N, z_dim], and labels [N] of a conditional generator
Generate = Callable[[Inputs], Tensor]


@dataclass(frozen=True)
class Format:
    """A way to hand a generator on.

    Args:
        name: for people, and in `formats=`.
        file: in the exported folder.
        needs: modules without which it cannot be written.
        write: the generator of a run, told what is said of it, to a path.
        load: what is at a path, as a function of z and labels; None where nothing here can run it.
    """

    name: str
    file: str
    needs: tuple[str, ...]
    write: Callable[[TrainedRun, Mapping[str, str], Path], None]
    load: Callable[[TrainedRun, Path], Generate | None]

    def check(self) -> None:
        """Raises LsganError where it cannot be written here."""
        missing = [name for name in self.needs if find_spec(name) is None]
        if missing:
            raise LsganError(
                f'formats={self.name} takes {" and ".join(missing)}: python -m pip install "lsgan[export]"'
            )


def written(run: TrainedRun, formats: list[Format], told: Mapping[str, str], folder: Path) -> dict[str, float | None]:
    """Writes the files; the largest difference of each from the original, by format: None where it was not compared.

    The original runs in full precision on the CPU, and so do the files that are loaded back.

    Args:
        run: on the CPU.
        formats: which.
        told: what is to be known of the weights where only they are; texts.
        folder: for the files.

    Raises:
        LsganError: the generator cannot be written in one of the formats, or does not come back as it was.
    """
    found = {}
    for kind in formats:
        path = folder / kind.file
        kind.write(run, told, path)
        generate = kind.load(run, path)
        found[kind.name] = None if generate is None else _largest_difference(run, generate)
    return found


def inputs(run: TrainedRun, num: int) -> Inputs:
    """z [num, z_dim] of the run's latent, and all of its classes in turn if it has any."""
    z = run.latent.sample(num, stream(0, "export"))
    return (z,) if run.num_classes is None else (z, torch.arange(num) % run.num_classes)


@torch.no_grad()
def _largest_difference(run: TrainedRun, generate: Generate) -> float:
    differences = [
        (run.generator(*given) - generate(given)).abs().max().item() for given in (inputs(run, num) for num in _SIZES)
    ]
    return max(differences)


# Weights


def _write_safetensors(run: TrainedRun, told: Mapping[str, str], path: Path) -> None:
    from safetensors.torch import save

    # a copy of each: two names of one tensor are no file that safetensors writes
    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in run.generator.state_dict().items()}
    path.write_bytes(save(tensors, {"format": "pt", **told}))  # its save_file makes files that only their owner reads


def _load_safetensors(run: TrainedRun, path: Path) -> Generate:
    from safetensors.torch import load_file

    generator = copy.deepcopy(run.generator)
    for tensor in generator.state_dict().values():
        tensor.zero_()  # nothing of the original is left
    generator.load_state_dict(load_file(path))
    return lambda given: generator(*given)


# Programs


class _OfNoise(nn.Module):
    """Gives the inputs of a program their names."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        """z [N, z_dim] -> samples [N, *shape]."""
        return self.generator(z)


class _OfNoiseAndLabels(_OfNoise):
    def forward(self, z: Tensor, labels: Tensor) -> Tensor:  # type: ignore[override]
        """z [N, z_dim], labels int64 [N] -> samples [N, *shape]."""
        return self.generator(z, labels)


def _traced(run: TrainedRun, kind: str) -> torch.export.ExportedProgram:
    """The generator as a program that takes any number of samples."""
    generator = copy.deepcopy(run.generator).to(memory_format=torch.contiguous_format)  # what a file holds
    network = (_OfNoise if run.num_classes is None else _OfNoiseAndLabels)(generator)
    batch = torch.export.Dim("batch", min=1)
    shapes = {name: {0: batch} for name in input_names(run)}
    try:
        with torch.no_grad():
            return torch.export.export(network, inputs(run, _TRACED), dynamic_shapes=shapes)
    except Exception as error:  # it says so in many ways
        raise _cannot(kind, error) from error


def input_names(run: TrainedRun) -> list[str]:
    """Of a program."""
    return ["z"] if run.num_classes is None else ["z", "labels"]


def _write_pt2(run: TrainedRun, told: Mapping[str, str], path: Path) -> None:
    torch.export.save(_traced(run, "pt2"), path, extra_files={"about.txt": _lines(told)})


def _load_pt2(run: TrainedRun, path: Path) -> Generate:
    program = torch.export.load(path).module()
    return lambda given: program(*given)


def _write_onnx(run: TrainedRun, told: Mapping[str, str], path: Path) -> None:
    import onnx

    program = _traced(run, "onnx")
    try:
        converted = torch.onnx.export(
            program, input_names=input_names(run), output_names=["samples"], dynamo=True, verbose=False
        )
        if converted is None:
            raise ValueError("the exporter gave nothing")
        model = converted.model_proto
    except Exception as error:
        raise _cannot("onnx", error) from error
    onnx.helper.set_model_props(model, dict(told))
    onnx.save_model(model, str(path))


def _load_onnx(run: TrainedRun, path: Path) -> Generate | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = input_names(run)

    def generate(given: Inputs) -> Tensor:
        fed = {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)}
        return torch.from_numpy(session.run(["samples"], fed)[0])

    return generate


def _lines(told: Mapping[str, str]) -> str:
    return "".join(f"{key}: {value}\n" for key, value in told.items())


def _cannot(kind: str, error: Exception) -> LsganError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return LsganError(
        f"formats={kind}: this generator is no program that PyTorch can export ({first}): leave {kind} out of formats"
    )


WEIGHTS = Format("safetensors", EXPORTED, ("safetensors",), _write_safetensors, _load_safetensors)
FORMATS: dict[str, Format] = {
    kind.name: kind
    for kind in (
        WEIGHTS,
        Format("pt2", "generator.pt2", (), _write_pt2, _load_pt2),
        Format("onnx", "generator.onnx", ("onnx", "onnxscript"), _write_onnx, _load_onnx),
    )
}
