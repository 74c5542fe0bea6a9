"""Parquet files of encoded images, as Hugging Face data sets are distributed."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from lsgan.data.sources.classes import names_of
from lsgan.data.sources.decode import open_image
from lsgan.data.sources.image_files import walk
from lsgan.data.sources.source import Item, Reading
from lsgan.data.sources.splits import ALL, Splits, are_splits, choose, split_depth, split_named
from lsgan.errors import LsganError

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as missing:
    raise LsganError("parquet files need the package pyarrow, which is missing: pip install pyarrow") from missing

_ROWS = 64  # read at once


class ParquetImages:
    """A source (source.py): the image column of parquet files, in the order of their names.

    The column holds encoded images, as bytes or as structs with a field `bytes`. Integers in a column
    `label` are labels, if the file's Hugging Face features name the classes; a row with another value there cannot
    be read. Splits are told by the names of the files or of their folders, else by a column `split`.

    Args:
        where: the file, or a folder of them.
        split: as `splits.choose` takes it.

    Raises:
        LsganError: no parquet file, one that cannot be read, one without a column of images, or there is no such split.
    """

    def __init__(self, where: Path, split: Sequence[str] | None = ALL) -> None:
        self._where = where
        found = [name for name in walk(where) if name.endswith(".parquet")] if where.is_dir() else [""]
        if not found:
            raise LsganError(f"{where} holds no parquet files")
        names, splits = _of_splits(where, sorted(found, key=lambda name: name.split("/")), split)
        self._files = [where / name for name in names]
        schemas, rows = zip(*map(_schema_and_rows, self._files), strict=True)
        self._column = _image_column(where, schemas[0])
        for path, schema in zip(self._files, schemas, strict=True):
            if self._column not in schema.names:
                raise LsganError(f"{path} has no column {self._column!r}, unlike {self._files[0].name}")
            if _class_names(schema) != _class_names(schemas[0]):
                raise LsganError(f"{path} names other classes than {self._files[0].name}")
        self.classes = _class_names(schemas[0])
        in_column = Counter[str]() if splits.there else _splits_in_column(self._files, schemas)
        if not splits.there:
            splits = choose(where, in_column, split)
        self._of_column = None if not in_column or splits.all_taken else set(splits.taken)
        self._num_items = sum(in_column[name] for name in self._of_column) if self._of_column else sum(rows)
        self.reading = Reading(_told(self.classes, schemas[0]) + _told_splits(splits), splits)

    @property
    def num_items(self) -> int:
        return self._num_items

    def items(self) -> Iterator[Item]:
        columns = [self._column, *(["label"] if self.classes else []), *(["split"] if self._of_column else [])]
        for path in self._files:
            name = path.relative_to(self._where) if path != self._where else path.name
            for row, values in enumerate(_rows(path, columns)):
                if self._of_column and values["split"] not in self._of_column:
                    continue
                image, label = values[self._column], values.get("label")
                encoded = image.get("bytes") if isinstance(image, dict) else image
                known = self.classes is None or (type(label) is int and 0 <= label < len(self.classes))
                load = partial(_image, encoded, None if known else f"its label {label!r} is none of the classes")
                yield Item(f"{name} row {row}", load, label if known else None)


def _of_splits(where: Path, names: Sequence[str], asked: Sequence[str] | None) -> tuple[Sequence[str], Splits]:
    """The files of the splits that are asked for: data/train-00000-of-00002.parquet as data/train/0000.parquet."""
    places = [_as_folder(name) for name in names]
    depth = split_depth(set(places))  # one split may have many files
    if depth is None:
        return names, Splits()  # a column may tell
    split = [place.split("/")[depth] if place.count("/") >= depth else "" for place in places]
    splits = choose(where, set(split) - {""}, asked)
    return [name for name, of in zip(names, split, strict=True) if of in splits.taken or splits.all_taken], splits


def _as_folder(name: str) -> str:
    folder, _, file = name.rpartition("/")
    word = split_named(re.split(r"[^A-Za-z]+", file)) if file else None
    return "/".join(filter(None, (folder, word)))


def _splits_in_column(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> Counter[str]:
    """How many rows each split has, by a column of that name; empty if there is none, or it holds something else."""
    kinds = [schema.field("split").type for schema in schemas if "split" in schema.names]
    if len(kinds) < len(files) or not all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds):
        return Counter()
    counts = Counter(str(values["split"]) for path in files for values in _rows(path, ["split"]))
    return counts if are_splits(counts) else Counter()


def _told(classes: Sequence[str] | None, schema: pa.Schema) -> str:
    if classes is not None:
        return f"{len(classes)} of column label: {names_of(classes)}"
    if "label" in schema.names:
        return "none (no Hugging Face features name the classes of column label)"
    return "none (no column is called label)"


def _told_splits(splits: Splits) -> str:
    taken = "all" if splits.all_taken else ", ".join(splits.taken)
    return f" ({taken} of {', '.join(splits.there)})" if splits.there else ""


def _rows(path: Path, columns: list[str]) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=columns, use_threads=False):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise LsganError(f"{path} is damaged ({str(error).splitlines()[0]}): get it again") from error


def _image(encoded: bytes | None, refused: str | None) -> Image.Image:
    if refused is not None:
        raise ValueError(refused)
    if encoded is None:
        raise ValueError("the row holds no bytes of an image")
    return open_image(encoded)


def _schema_and_rows(path: Path) -> tuple[pa.Schema, int]:
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise LsganError(f"{path} is not a readable parquet file ({str(error).splitlines()[0]})") from error


def _image_column(where: Path, schema: pa.Schema) -> str:
    """`image` or `img` if there is one, else the only column of bytes."""
    columns = [field.name for field in schema if _holds_bytes(field.type)]
    for name in ("image", "img"):
        if name in columns:
            return name
    if len(columns) != 1:
        raise LsganError(
            f"{where} has no column of images: one called image, or the only one that holds bytes, is looked for "
            f"among {', '.join(schema.names)}"
        )
    return columns[0]


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _class_names(schema: pa.Schema) -> Sequence[str] | None:
    """Of the column `label`, from the features that Hugging Face's `datasets` writes into the schema."""
    try:
        names = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]["label"]["names"]
    except (ValueError, KeyError, TypeError):  # somebody else's metadata
        return None
    return names if isinstance(names, list) and names and "label" in schema.names else None
