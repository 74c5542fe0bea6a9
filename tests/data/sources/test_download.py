"""The real code against a real server on loopback that cuts, refuses and lies."""

import hashlib
import io
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from lsgan.data.sources import download
from lsgan.data.sources.download import fetch, found, local_name
from lsgan.errors import LsganError

ROOT = Path(__file__).resolve().parents[3]
CONTENT = random.Random(0).randbytes(1_000_000)


def zip_of(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "_FIRST_WAIT", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_file_is_downloaded_once(tmp_path, site):
    site.files["/data/x.bin"] = CONTENT
    assert found([site.url("/data/x.bin")], tmp_path) is None
    path = fetch([site.url("/data/x.bin")], tmp_path / "new")
    assert path == tmp_path / "new" / "x.bin"
    assert path.read_bytes() == CONTENT
    assert visible(tmp_path / "new") == ["x.bin"]
    assert fetch([site.url("/data/x.bin")], tmp_path / "new") == path
    assert len(site.seen) == 1
    assert found([site.url("/data/x.bin")], tmp_path / "new") == path


def test_names():
    assert local_name("https://host/a/church%20train.zip#sha256=00") == "church train.zip"
    assert local_name("hf://datasets/owner/name") == "owner--name"
    assert local_name("https://host/") == "download"


def test_an_archive_unpacked_by_hand_is_found_first(tmp_path):
    sources = ["https://nowhere.invalid/church_lmdb.zip"]
    (tmp_path / "church_lmdb.zip").touch()
    assert found(sources, tmp_path) == tmp_path / "church_lmdb.zip"
    (tmp_path / "church_lmdb").mkdir()
    assert found(sources, tmp_path) == tmp_path / "church_lmdb"


def test_a_cut_connection_is_taken_up_where_it_broke(tmp_path, site, caplog):
    caplog.set_level("INFO")
    site.files["/x.bin"], site.cut_after["/x.bin"] = CONTENT, 300_000
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT
    asked = [headers.get("Range") for headers in site.asked("/x.bin")]
    assert asked == [None, *(f"bytes={i * 4 * 2**16}-" for i in (1, 2, 3))]
    assert "x.bin: going on after 0.3 MB" in caplog.text
    assert "trying again in" in caplog.text


def test_a_server_without_range_starts_over_and_says_so(tmp_path, site, caplog, monkeypatch):
    caplog.set_level("INFO")
    site.files["/x.bin"], site.cut_after["/x.bin"], site.ranges = CONTENT, 300_000, False
    monkeypatch.setattr(download.time, "sleep", lambda seconds: site.cut_after.clear())  # whole after the first wait
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT
    assert "starting over, the server cannot go on in the middle or has another version" in caplog.text


def test_a_server_that_never_gets_further_is_given_up(tmp_path, site):
    site.files["/x.bin"], site.cut_after["/x.bin"], site.ranges = CONTENT, 300_000, False
    with pytest.raises(LsganError, match=r"was cut after [23]\d\d,\d+ of 1,000,000 bytes \(tried 4 times\)"):
        fetch([site.url("/x.bin")], tmp_path)
    assert len(site.seen) == 4


def test_another_version_on_the_server_starts_over(tmp_path, site, monkeypatch):
    site.files["/x.bin"], site.cut_after["/x.bin"] = CONTENT, 300_000

    def change(seconds):
        site.files["/x.bin"] = CONTENT[::-1]
        site.cut_after.clear()

    monkeypatch.setattr(download.time, "sleep", change)
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT[::-1]


def test_a_server_without_versions_is_gone_on_with_too(tmp_path, site):
    site.files["/x.zip"], site.cut_after["/x.zip"], site.etags = zip_of(a=CONTENT), 300_000, False
    assert fetch([site.url("/x.zip")], tmp_path).read_bytes() == site.files["/x.zip"]
    assert "Range" in site.asked("/x.zip")[1]
    assert "If-Range" not in site.asked("/x.zip")[1]


def test_a_server_that_tells_no_length(tmp_path, site):
    site.files["/x.bin"], site.length = CONTENT, False
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT


def test_more_here_than_there(tmp_path, site):
    site.files["/x.bin"], site.etags = CONTENT, False
    (tmp_path / "x.bin.part").write_bytes(CONTENT * 2)
    (tmp_path / ".x.bin.note").write_text('{"version": null, "size": null}')
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT


def test_what_may_be_over_in_a_moment_is_tried_again(tmp_path, site):
    site.files["/x.bin"], site.failures["/x.bin"] = CONTENT, [503, 429, 500]
    assert fetch([site.url("/x.bin")], tmp_path).read_bytes() == CONTENT
    site.failures["/y.bin"] = [503] * 9
    with pytest.raises(LsganError, match=r"/y.bin: HTTP 503 Service Unavailable \(tried 4 times\)"):
        fetch([site.url("/y.bin")], tmp_path)


def test_the_mirror_comes_next(tmp_path, site, caplog):
    caplog.set_level("INFO")
    site.files["/mirror/x.zip"] = zip_of(a=CONTENT)
    sources = [site.url("/x.zip"), site.url("/mirror/x.zip")]
    assert fetch(sources, tmp_path).read_bytes() == site.files["/mirror/x.zip"]
    assert len(site.asked("/x.zip")) == 1  # a 404 is not asked again
    assert "/x.zip: HTTP 404 Not Found" in caplog.text


def test_every_reason_is_told(tmp_path, site, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub"))
    site.files["/page.zip"], site.kinds["/page.zip"] = b"<html>log in</html>", "text/html; charset=utf-8"
    site.files["/disguised.zip"] = b"<html>log in</html>"
    broken = bytearray(zip_of(a=CONTENT))
    broken[500_000] ^= 1
    site.files["/broken.zip"] = bytes(broken)
    site.files["/cut.zip"] = zip_of(a=CONTENT)[:-1000]
    site.files["/other.bin"] = CONTENT
    sources = [
        site.url("/gone.zip"),
        site.url("/page.zip"),
        site.url("/disguised.zip"),
        site.url("/broken.zip"),
        site.url("/cut.zip"),
        site.url("/other.bin#sha256=" + 64 * "0"),
        "http://127.0.0.1:9/refused.zip",
        "hf://datasets/owner/nothing",
        "no address",
    ]
    with pytest.raises(LsganError) as caught:
        fetch(sources, tmp_path)
    reasons = str(caught.value)
    for expected in (
        "/gone.zip: HTTP 404 Not Found; ",
        "/page.zip: it answers with a web page (the login page of a network, perhaps); ",
        "/disguised.zip: it is not a sound zip file (File is not a zip file); ",
        "/broken.zip: it is not a sound zip file (",
        "/cut.zip: it is not a sound zip file (",
        f"its SHA-256 is {hashlib.sha256(CONTENT).hexdigest()}, not 0000",
        "Connection refused (tried 4 times); ",
        "hf://datasets/owner/nothing: HTTP 404 Not Found; ",
        "no address: ",
    ):
        assert expected in reasons
    assert "\n" not in reasons
    assert [name for name in visible(tmp_path) if not name.startswith("owner--nothing")] == []


def test_a_known_checksum(tmp_path, site):
    site.files["/x.bin"] = CONTENT
    fetch([site.url("/x.bin#sha256=" + hashlib.sha256(CONTENT).hexdigest())], tmp_path)
    assert visible(tmp_path) == ["x.bin"]


def test_a_data_set_of_the_hub(tmp_path, site, monkeypatch):
    files = {f"data/train-{i:05d}.parquet": CONTENT[: 1000 + i] for i in range(5)}
    site.hub("owner/name", {**files, "README.md": b"#"}, page=2)
    moved = "/hub/datasets/owner/name/resolve/main/data/train-00002.parquet"
    site.files["/elsewhere"] = site.files.pop(moved)
    site.redirects[moved] = site.url("/elsewhere").replace("127.0.0.1", "localhost")
    site.failures["/hub/api/datasets/owner/name/tree/main?recursive=true"] = [503]
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub/"))
    monkeypatch.setenv("HF_TOKEN", "secret")
    folder = fetch(["hf://datasets/owner/name"], tmp_path)
    assert folder == tmp_path / "owner--name"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.replace("/", "--"): content for path, content in files.items()
    }
    assert visible(tmp_path) == ["owner--name"]
    for path, headers in site.seen:  # the token is for the hub alone
        assert headers.get("Authorization") == (None if path == "/elsewhere" else "Bearer secret")


def test_the_hub_goes_on_after_the_files_that_it_has_given(tmp_path, site, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub"))
    site.hub("owner/name", {f"{i}.parquet": CONTENT[:1000] for i in range(3)})
    last = "/hub/datasets/owner/name/resolve/main/2.parquet"
    content = site.files.pop(last)
    with pytest.raises(LsganError, match="hf://datasets/owner/name: HTTP 404"):
        fetch(["hf://datasets/owner/name"], tmp_path)
    assert found(["hf://datasets/owner/name"], tmp_path) is None
    site.files[last] = content
    fetch(["hf://datasets/owner/name"], tmp_path)
    assert len(site.asked("/hub/datasets/owner/name/resolve/main/0.parquet")) == 1


def test_damaged_files_and_lists_of_the_hub(tmp_path, site, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub"))
    site.hub("owner/name", {"../../0.parquet": CONTENT[:1000]})
    site.files["/hub/datasets/owner/name/resolve/main/../../0.parquet"] = CONTENT[:999] + b"?"
    site.hub("owner/empty", {"README.md": b"#"})
    site.files["/hub/api/datasets/owner/odd/tree/main?recursive=true"] = b"[1]"
    with pytest.raises(LsganError) as caught:
        fetch([f"hf://datasets/owner/{name}" for name in ("empty", "odd")], tmp_path)
    assert "owner/empty: holds no parquet files; " in str(caught.value)
    assert "owner/odd: the list of its files cannot be read" in str(caught.value)


def test_no_name_on_the_hub_leads_out_of_the_folder(tmp_path, site, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", site.url("/hub"))
    site.hub("owner/name", {"../../0.parquet": CONTENT[:1000]})
    site.files["/hub/datasets/0.parquet"] = CONTENT[:1000]  # as clients resolve the dots
    site.files["/hub/datasets/owner/0.parquet"] = CONTENT[:1000]
    site.files["/hub/datasets/owner/name/0.parquet"] = CONTENT[:1000]
    folder = fetch(["hf://datasets/owner/name"], tmp_path / "deep" / "down")
    assert [path.name for path in folder.iterdir()] == ["..--..--0.parquet"]
    assert visible(tmp_path) == ["deep"]


def test_a_proxy_is_asked(tmp_path, site, monkeypatch):
    site.files["/x.bin"] = CONTENT
    monkeypatch.setenv("http_proxy", site.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert fetch(["http://far.invalid/x.bin"], tmp_path).read_bytes() == CONTENT
    assert site.asked("/x.bin")[0]["Host"] == "far.invalid"


def test_room_for_the_download_and_what_comes_after(tmp_path, site, monkeypatch):
    site.files["/x.zip"], site.files["/x.bin"] = zip_of(a=CONTENT), CONTENT
    size = len(site.files["/x.zip"])
    usage = shutil.disk_usage(tmp_path)

    def free(num_bytes):
        monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=num_bytes))

    free(2 * size + 4_999_999_999)
    with pytest.raises(LsganError, match=r"has 5.0 GB free, but 5.0 GB are needed to download and pack http.*x.zip: f"):
        fetch([site.url("/x.zip")], tmp_path, room_for=5_000_000_000)
    assert visible(tmp_path) == []
    free(2 * size + 5_000_000_000)
    fetch([site.url("/x.zip")], tmp_path, room_for=5_000_000_000)
    free(len(CONTENT) + 10)
    fetch([site.url("/x.bin")], tmp_path, room_for=10)


def test_a_folder_that_cannot_be_written(tmp_path, site):
    (tmp_path / "file").touch()
    site.files["/x.bin"] = CONTENT
    with pytest.raises(LsganError, match=r"cannot download to .*file/deep: Not a directory; mend it and start again"):
        fetch([site.url("/x.bin")], tmp_path / "file" / "deep")


def process(url, folder):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        f"from pathlib import Path\nfrom lsgan.data.sources import download\ndownload._BLOCK = 1 << 14\n"
        f"download.fetch([{url!r}], Path({str(folder)!r}))"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("times", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_the_file_is_the_one_on_the_server(tmp_path, site, times):
    site.files["/x.zip"], site.seconds_a_block = zip_of(a=CONTENT), 0.002
    path, part = tmp_path / "x.zip", tmp_path / "x.zip.part"
    draw = random.Random(0)
    kills = resumed = 0
    while kills < times:
        child = process(site.url("/x.zip"), tmp_path)
        asked = len(site.seen)
        while len(site.seen) == asked and child.poll() is None and not (part.exists() and asked == 0):
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        kills += child.wait() == -signal.SIGKILL
        resumed += "Range" in site.seen[-1][1]
        if path.exists():
            assert path.read_bytes() == site.files["/x.zip"]
            path.unlink()
    process(site.url("/x.zip"), tmp_path).wait()
    assert path.read_bytes() == site.files["/x.zip"]
    assert visible(tmp_path) == ["x.zip"]
    assert resumed > times // 4


def test_two_processes_download_once(tmp_path, site):
    site.files["/x.zip"], site.seconds_a_block = zip_of(a=CONTENT), 0.005
    children = [process(site.url("/x.zip"), tmp_path) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(site.seen) == 1
    assert visible(tmp_path) == ["x.zip"]


def test_a_checksum_may_be_in_capitals_and_must_be_one(tmp_path, site):
    site.files["/x.bin"] = CONTENT
    fetch([site.url("/x.bin#sha256=" + hashlib.sha256(CONTENT).hexdigest().upper())], tmp_path)
    with pytest.raises(LsganError, match="its #sha256=… must be 64 hexadecimal digits"):
        fetch([site.url("/y.bin#sha256=123")], tmp_path)
    assert len(site.seen) == 1


def test_a_source_never_names_a_folder_above():
    assert local_name("https://host/..") == "download"
