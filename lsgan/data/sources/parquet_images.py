"""Parquet files of encoded images, as Hugging Face data sets are distributed."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from lsgan.data.sources.decode import open_image
from lsgan.data.sources.image_files import walk
from lsgan.data.sources.source import Item
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
    be read.

    Args:
        where: the file, or a folder of them.

    Raises:
        LsganError: no parquet file, one that cannot be read, or one without a column of images.
    """

    def __init__(self, where: Path) -> None:
        self._where = where
        self._files = (
            sorted(where / name for name in walk(where) if name.endswith(".parquet")) if where.is_dir() else [where]
        )
        if not self._files:
            raise LsganError(f"{where} holds no parquet files")
        schemas, rows = zip(*map(_schema_and_rows, self._files), strict=True)
        self._num_items = sum(rows)
        self._column = _image_column(where, schemas[0])
        for path, schema in zip(self._files, schemas, strict=True):
            if self._column not in schema.names:
                raise LsganError(f"{path} has no column {self._column!r}, unlike {self._files[0].name}")
            if _class_names(schema) != _class_names(schemas[0]):
                raise LsganError(f"{path} names other classes than {self._files[0].name}")
        self.classes = _class_names(schemas[0])

    @property
    def num_items(self) -> int:
        return self._num_items

    def items(self) -> Iterator[Item]:
        columns = [self._column, *(["label"] if self.classes else [])]
        for path in self._files:
            name = path.relative_to(self._where) if path != self._where else path.name
            for row, values in enumerate(_rows(path, columns)):
                image, label = values[self._column], values.get("label")
                encoded = image.get("bytes") if isinstance(image, dict) else image
                known = self.classes is None or (type(label) is int and 0 <= label < len(self.classes))
                load = partial(_image, encoded, None if known else f"its label {label!r} is none of the classes")
                yield Item(f"{name} row {row}", load, label if known else None)


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
