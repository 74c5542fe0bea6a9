"""Features that are computed once: files named by what the features are of, not by who asked for them."""

import hashlib
import io
import json
import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lsgan.evaluation.features import Extracted, FeatureExtractor
from lsgan.files import write_atomically

log = logging.getLogger(__name__)


def data_digest(identity: Mapping[str, object], num_held_out: int | None) -> str:
    """SHA-256 of what a run's real samples are, and of how they are dealt into training and held-out ones."""
    told = json.dumps([sorted(identity.items()), num_held_out or 0], default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def key_of_reals(extractor: FeatureExtractor, data: str, side: str, num: int) -> dict[str, str | int]:
    """The key of the first `num` real samples of a side, for `cached_features`.

    Args:
        extractor: loaded, so that its weights are known.
        data: see `data_digest`.
        side: training or held-out.
        num: how many.
    """
    return {
        "name": extractor.name,
        "weights": extractor.digest,
        "rule": extractor.rule,
        "data": data,
        "side": side,
        "num": num,
    }


def cached_features(folder: Path, key: Mapping[str, str | int], compute: Callable[[], Extracted]) -> Extracted:
    """What `compute` gives, or gave when it was last asked for the same key.

    Args:
        folder: of the cache; made if need be. One that cannot be written is told of, and nothing is kept.
        key: everything that the features follow from: the SHA-256 of the data, which of them and how many, the
            extractor's name, digest and rule, in any order. "name", if there is one, begins the file's name.
        compute: called if the file is not there, damaged, or of another key.
    """
    told = json.dumps(dict(key), sort_keys=True)
    name = re.sub(r"[^\w.-]", "_", str(key.get("name", "features")), flags=re.ASCII)
    path = folder / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:16]}.npz"
    found = _read(path, told)
    if found is None:
        found = compute()
        _write(path, told, found)
    return found


def _read(path: Path, told: str) -> Extracted | None:
    """None if the file is not there, or is not what `_write` wrote for this key. Nothing in it is run."""
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:  # which checks a CRC-32 of each
            names, key = set(arrays.files), str(arrays["key"])
            features = torch.from_numpy(arrays["features"])
            probabilities = torch.from_numpy(arrays["probabilities"]) if "probabilities" in names else None
    except Exception as error:  # NumPy and zipfile raise nearly anything on a damaged file
        log.warning("%s cannot be read (%s): its features are computed anew", path, type(error).__name__)
        return None
    parts = [features] if probabilities is None else [features, probabilities]
    if key != told or not all(p.ndim == 2 and p.dtype == torch.float32 and len(p) == len(features) for p in parts):
        log.warning("%s holds something else than its name says: its features are computed anew", path)
        return None
    return Extracted(features, probabilities)


def _write(path: Path, told: str, extracted: Extracted) -> None:
    arrays: dict[str, Any] = {"key": np.asarray(told), "features": extracted.features.numpy()}
    if extracted.probabilities is not None:
        arrays["probabilities"] = extracted.probabilities.numpy()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        log.warning("features cannot be kept in %s (%s): they are computed each time", path.parent, error.strerror)
