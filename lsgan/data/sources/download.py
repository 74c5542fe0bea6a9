"""Downloads that survive cuts, kills and dead servers.

A file grows as `<name>.part`, goes on there after an interruption, and gets its name when it is verified. Proxies
(HTTP_PROXY, HTTPS_PROXY, NO_PROXY) are respected, for Hugging Face also HF_ENDPOINT and HF_TOKEN.
"""

import hashlib
import json
import logging
import os
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import requests
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lsgan.data.sources.room import require_room
from lsgan.data.sources.zip_images import BROKEN_ZIP, zip_fault
from lsgan.errors import LsganError
from lsgan.files import lock, sync, write_atomically

log = logging.getLogger(__name__)

T = TypeVar("T")

_TRIES = 4  # in a row that bring nothing new, before a source is given up
_FIRST_WAIT = 1.0  # seconds before the second try; doubled for each further one
_TIMEOUT = (10, 60)  # seconds: to connect, and without a single byte
_BLOCK = 1 << 16  # bytes; what a cut may lose
_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # HTTP: may be over in a moment
_HUGGING_FACE = "hf://datasets/"


class SourceError(Exception):
    """A source does not give its file, and trying again would not help."""


class _BusyError(Exception):
    """The server cannot answer now."""


class _CutError(Exception):
    """The connection broke."""


def found(sources: Sequence[str], folder: Path) -> Path | None:
    """What `fetch`, or somebody by hand, has put into the folder; an archive may be unpacked beside itself."""
    for source in sources:
        path = folder / local_name(source)
        for there in (path.with_suffix("") if path.suffix == ".zip" else path, path):
            if there.exists():
                return there
    return None


def fetch(sources: Sequence[str], folder: Path, *, room_for: int = 0) -> Path:
    """Downloads the first of the sources that gives its files, and returns where they are in `folder`.

    Args:
        sources: `https://…/name.zip`, with `#sha256=…` if that is known, or `hf://datasets/<owner>/<name>`, the
            parquet files of a Hugging Face data set.
        folder: made if need be.
        room_for: bytes that will be needed on the same disk afterwards.

    Raises:
        LsganError: no source gave its files (each one's reason is told), or the folder does not take them.
    """
    reasons = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sources:
            get = _fetch_parquet if source.startswith(_HUGGING_FACE) else _fetch_file
            path = folder / local_name(source)
            try:
                with lock(path.with_name(f".{path.name}.lock"), f"downloading {path.name}"):
                    if not path.exists():
                        log.info("downloading %s to %s", source, folder.absolute())
                        get(source, path, room_for)
                return path
            except (SourceError, LsganError, requests.RequestException) as error:
                log.info("%s: %s", source, _reason(error))
                reasons.append(f"{source}: {_reason(error)}")
    except OSError as error:
        raise LsganError(
            f"cannot download to {folder.absolute()}: {error.strerror or error}; mend it and start again, or set "
            "data_dir or LSGAN_DATA (what has been downloaded is kept)"
        ) from error
    raise LsganError("; ".join(reasons) or "no source is given")


def local_name(source: str) -> str:
    """What a source is called in the folder that it is downloaded to."""
    if source.startswith(_HUGGING_FACE):
        return source.removeprefix(_HUGGING_FACE).replace("/", "--")
    name = PurePosixPath(unquote(urlsplit(source).path)).name
    return "download" if name in ("", "..") else name


def _fetch_file(source: str, path: Path, room_for: int) -> None:
    url, given, checksum = source.lower().partition("#sha256=")
    url = source[: len(url)]
    if given and not re.fullmatch(r"[0-9a-f]{64}", checksum):
        raise SourceError("its #sha256=… must be 64 hexadecimal digits")
    with requests.Session() as session, _progress() as progress:
        _Download(session, url, path, checksum, progress).run(room_for)


def _fetch_parquet(source: str, path: Path, room_for: int) -> None:
    """All parquet files of a data set on the Hugging Face hub, or none."""
    name = source.removeprefix(_HUGGING_FACE)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    token = os.environ.get("HF_TOKEN")
    part = path.with_name(f"{path.name}.part")
    part.mkdir(exist_ok=True)
    with requests.Session() as session, _progress() as progress:
        if token:
            session.headers["Authorization"] = f"Bearer {token}"
        tree = f"{endpoint}/api/datasets/{name}/tree/main?recursive=true"
        files = _with_retries(lambda: list(_parquet_files(session, tree)))
        if not files:
            raise SourceError("holds no parquet files")
        for file in files:
            checksum = (file.get("lfs") or {}).get("oid", "")
            url = f"{endpoint}/datasets/{name}/resolve/main/{file['path']}"
            there = part / file["path"].replace("/", "--")  # flat: no name leads out of the folder
            if not there.exists():
                _Download(session, url, there, checksum, progress).run(room_for)
    part.replace(path)
    sync(path.parent)


def _parquet_files(session: requests.Session, url: str | None) -> Iterator[dict[str, Any]]:
    """The hub's entries of the parquet files: path, size, and in `lfs` the SHA-256 as `oid`."""
    while url:
        with _answer(session, url) as response:
            try:
                yield from (file for file in response.json() if file["path"].endswith(".parquet"))
            except (ValueError, TypeError, KeyError) as error:
                raise SourceError("the list of its files cannot be read") from error
            url = response.links.get("next", {}).get("url")


@dataclass
class _Download:
    """One file, from its URL to its place.

    The note beside the unfinished file says which version of the remote file it is, and how long that one is.
    """

    session: requests.Session
    url: str
    path: Path
    sha256: str  # "" if not known
    progress: Progress

    def __post_init__(self) -> None:
        self.part = self.path.with_name(f"{self.path.name}.part")
        self.note = self.path.with_name(f".{self.path.name}.note")
        self.bar = self.progress.add_task(self.path.name, total=None, visible=False)

    def run(self, room_for: int) -> None:
        """Receives, verifies and puts the file in place.

        Raises:
            SourceError: the server does not give it, or gives something else.
            LsganError: there is no room for it.
            OSError: the disk does not take it.
        """
        if not self._is_whole():
            _with_retries(lambda: self._receive(room_for), self._size)
        self._verify()
        sync(self.part)
        self.part.replace(self.path)
        self.note.unlink(missing_ok=True)
        sync(self.path.parent)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _is_whole(self) -> bool:
        return self._noted().get("size") == self._size() > 0

    def _noted(self) -> dict[str, Any]:
        return json.loads(self.note.read_text()) if self.note.exists() else {}

    def _receive(self, room_for: int) -> None:
        """What is missing, as far as the connection carries."""
        noted, start = self._noted(), self._size()
        headers = {"Accept-Encoding": "identity"}
        if start and noted:
            headers |= {"Range": f"bytes={start}-"} | ({"If-Range": noted["version"]} if noted["version"] else {})
        with _answer(self.session, self.url, headers) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                self.part.unlink()
                raise _BusyError("there is more here already than the server has: starting over")
            if response.status_code == requests.codes.partial_content:
                if not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
                    raise SourceError(f"asked for bytes from {start}, it sends others")
                log.info("%s: going on after %.1f MB", self.path.name, start / 1e6)
            else:
                if start:
                    log.info(
                        "%s: starting over, the server cannot go on in the middle or has another version", self.url
                    )
                start = 0
            length = response.headers.get("Content-Length", "")
            size = start + int(length) if length.isdecimal() else None
            if size is not None:
                unpacked = size if self.path.suffix == ".zip" else 0
                require_room(self.path.parent, size - start + unpacked + room_for, f"to download and pack {self.url}")
            self._write(response, start, size)

    def _write(self, response: requests.Response, start: int, size: int | None) -> None:
        with open(self.part, "r+b" if start else "wb") as file:
            if not start:  # a note must never describe another file's bytes, so it goes after the bytes have gone
                write_atomically(self.note, json.dumps({"version": _version(response), "size": size}))
            file.seek(start)
            self.progress.update(self.bar, total=size, completed=start, visible=True)
            try:
                for block in response.iter_content(_BLOCK):
                    file.write(block)
                    self.progress.advance(self.bar, len(block))
            except requests.RequestException as error:
                whole = "" if size is None else f" of {size:,}"
                raise _CutError(f"the connection was cut after {file.tell():,}{whole} bytes") from error

    def _verify(self) -> None:
        """Raises SourceError, and deletes the file, if it is not what it should be."""
        try:
            if self.sha256 and (actual := self._checksum()) != self.sha256:
                raise SourceError(f"its SHA-256 is {actual}, not {self.sha256}: damaged, or another file")
            if self.path.suffix == ".zip":
                self._verify_zip()
        except SourceError:
            self.part.unlink()
            self.note.unlink(missing_ok=True)
            raise

    def _checksum(self) -> str:
        self.progress.update(self.bar, description=f"verifying {self.path.name}", total=self._size(), completed=0)
        digest = hashlib.sha256()
        with open(self.part, "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                self.progress.advance(self.bar, len(block))
        return digest.hexdigest()

    def _verify_zip(self) -> None:
        try:
            with zipfile.ZipFile(self.part) as archive:
                members = archive.infolist()
                total = sum(member.file_size for member in members)
                self.progress.update(self.bar, description=f"verifying {self.path.name}", total=total, completed=0)
                for member in members:
                    with archive.open(member) as content:
                        while block := content.read(_BLOCK):  # raises when the CRC is wrong
                            self.progress.advance(self.bar, len(block))
        except BROKEN_ZIP as error:
            raise SourceError(f"it {zip_fault(error)[0]}") from error


def _with_retries(ask: Callable[[], T], size: Callable[[], int] = lambda: 0) -> T:
    """What `ask` returns; gives up after `_TRIES` failures in a row in which `size` has not reached a new record.

    Raises:
        SourceError: it gave up.
    """
    failures, largest = 0, size()
    while True:
        try:
            return ask()
        except (requests.ConnectionError, requests.Timeout, _BusyError, _CutError) as error:
            failures = 1 if size() > largest else failures + 1
            largest = max(largest, size())
            if failures == _TRIES:
                raise SourceError(f"{_reason(error)} (tried {_TRIES} times)") from error
            wait = _FIRST_WAIT * 2 ** (failures - 1)
            log.info("%s; trying again in %g s", _reason(error), wait)
            time.sleep(wait)


@contextmanager
def _answer(session: requests.Session, url: str, headers: dict[str, str] | None = None) -> Iterator[requests.Response]:
    """The server's answer, its body not read yet, if it is one that brings the file."""
    with session.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as response:
        status = f"HTTP {response.status_code} {response.reason}"
        if response.status_code in _TRY_AGAIN:
            raise _BusyError(status)
        if not (response.ok or response.status_code == requests.codes.requested_range_not_satisfiable):
            raise SourceError(status)
        if response.ok and response.headers.get("Content-Type", "").startswith("text/html"):
            raise SourceError("it answers with a web page (the login page of a network, perhaps)")
        yield response


def _version(response: requests.Response) -> str | None:
    """What If-Range takes: a strong ETag, else the time of the last change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _reason(error: Exception) -> str:
    """The innermost cause of requests' nested errors, in one line."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    inner = getattr(error, "reason", None)
    told = " ".join(str(inner if isinstance(inner, Exception) else error).split())
    return re.sub(r"^HTTPS?Connection\(.*?\): ", "", told) or type(error).__name__


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    )
