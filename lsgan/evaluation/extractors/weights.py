"""Weights of others: downloaded, verified before they are read, and read so that nothing in them is run."""

import hashlib
import io
import logging
from pathlib import Path
from pickle import UnpicklingError

import requests
import torch
from rich.progress import Progress
from torch import Tensor, nn

from lsgan.errors import LsganError
from lsgan.files import is_refusal, lock, refusal, remedy, sync

log = logging.getLogger(__name__)

_TIMEOUT = (10, 60)  # seconds: to connect, and without a single byte
_BLOCK = 1 << 16  # bytes
_BEGINNINGS = (b"PK\x03\x04", b"\x80")  # of what torch.save writes: a zip file, and a pickle before PyTorch 1.6


def read_weights(path: Path, sha256: str | None = None) -> tuple[dict[str, Tensor], str]:
    """A state dict as `torch.save` writes it, and the SHA-256 of the file.

    The bytes that are hashed are those that are read: the file cannot become another one in between.

    Args:
        path: of the file.
        sha256: that it must have; None if any will do.

    Raises:
        LsganError: it cannot be read, is another file, or holds anything but named tensors.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise LsganError(f"the weights {path} {reason}: set features.weights=<file>") from error
    digest = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, digest):
        raise LsganError(
            f"the weights {path} have SHA-256 {digest}, not {sha256}: they are damaged, or another file's; delete them"
        )
    return _state_dict(content, path), digest


def _state_dict(content: bytes, path: Path) -> dict[str, Tensor]:
    foreign = f"the weights {path} cannot be loaded: it is no file of weights that PyTorch wrote"
    if not content.startswith(_BEGINNINGS):
        raise LsganError(foreign)
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        if isinstance(error, UnpicklingError) or "weights_only" in str(error):  # torch would advise to run it
            reason = "something else than tensors and plain values is in it, and nothing else is loaded"
        elif isinstance(error, RuntimeError) and str(error):
            reason = str(error).splitlines()[0]
        else:  # what a pickle stumbles upon, a bare number for example
            raise LsganError(f"{foreign}, or a damaged one") from error
        raise LsganError(f"the weights {path} cannot be loaded: {reason}") from error
    if not (isinstance(state, dict) and all(isinstance(value, Tensor) for value in state.values())):
        raise LsganError(f"the weights {path} cannot be loaded: they must be a state dict, named tensors and no more")
    return state


def load_into(network: nn.Module, state: dict[str, Tensor], path: Path, what: str) -> None:
    """Gives the network the weights. Raises LsganError if they are another network's; `what` they should be of."""
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise LsganError(f"the weights {path} are not those of {what}: other names or shapes") from error


def fetch_weights(url: str, sha256: str, folder: Path) -> Path:
    """The file of the URL in the folder, downloaded if it is not there; it has its name only when it is verified.

    Raises:
        LsganError: it cannot be had, or is another file.
    """
    path = folder / url.rsplit("/", 1)[-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with lock(path.with_name(f".{path.name}.lock"), f"downloading {path.name}"):
            if not path.exists():
                log.info("downloading %s to %s", url, folder)
                _download(url, sha256, path)
    except requests.RequestException as error:  # one of its kinds of OSError
        raise LsganError(
            f"{url} cannot be downloaded ({_reason(error)}): get it elsewhere and set features.weights=<file>"
        ) from error
    except OSError as error:
        if not is_refusal(error):
            raise
        raise LsganError(f"cannot download {url}: {refusal(error)}; {remedy(error)}") from error
    return path


def _download(url: str, sha256: str, path: Path) -> None:
    part, digest = path.with_name(f"{path.name}.part"), hashlib.sha256()
    try:
        with (
            requests.get(url, stream=True, timeout=_TIMEOUT, headers={"Accept-Encoding": "identity"}) as response,
            Progress(transient=True) as progress,
            open(part, "wb") as file,
        ):
            if not response.ok:
                raise requests.HTTPError(f"HTTP {response.status_code} {response.reason}")
            bar = progress.add_task(path.name, total=int(response.headers.get("Content-Length", 0)) or None)
            for block in response.iter_content(_BLOCK):
                file.write(block)
                digest.update(block)
                progress.advance(bar, len(block))
        if digest.hexdigest() != sha256:
            raise LsganError(
                f"{url} gave a file with SHA-256 {digest.hexdigest()}, not {sha256}: get the right one elsewhere and "
                "set features.weights=<file>"
            )
        sync(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """The innermost cause of requests' nested errors, in one line, its objects' addresses left out."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    inner = getattr(error, "reason", None)
    told = " ".join(str(inner if isinstance(inner, Exception) else error).split())
    return told.rsplit(": ", 1)[-1] or type(error).__name__
