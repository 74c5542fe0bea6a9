import subprocess
import sys

import pytest
import torch

from lsgan.errors import LsganError
from lsgan.training.memory import available_bytes, enough_for, is_out_of_memory, peak_bytes, too_large

linux = pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")

FAULTS = """
import resource, sys, torch
from lsgan.training.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
def use():
    for _ in range(20):
        torch.zeros(10_000_000).add_(1)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@linux
def test_freed_memory_is_kept(python, tmp_path):
    """Twenty tensors of 40 MB, one after the other, of which the kernel has to provide the pages anew by default."""
    (tmp_path / "faults.py").write_text(FAULTS)
    faults = {mode: int(python("faults.py", mode).stdout) for mode in ("default", "keep")}
    assert faults["keep"] < faults["default"] / 10


def test_the_peak_is_that_of_the_process():
    before = peak_bytes(torch.device("cpu"))
    block = torch.ones(before // 4 + 20_000_000)  # four bytes each: more than all that was there
    assert peak_bytes(torch.device("cpu")) >= block.nbytes
    assert before > 50e6


@linux
def test_the_peak_is_not_that_of_the_parent_process():
    block = torch.ones(250_000_000)  # 1 GB
    child = "import torch; from lsgan.training.memory import peak_bytes; print(peak_bytes(torch.device('cpu')))"
    found = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout
    assert int(found) < block.nbytes


def test_what_is_too_little_memory():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"))
    assert is_out_of_memory(RuntimeError("CUDA error: out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
    assert not is_out_of_memory(ValueError("can't allocate memory"))


def test_the_largest_batch_that_fits_is_found_by_halves():
    tried = []

    def train_on(size):
        tried.append(size)
        if size > 100:
            torch.empty(2**60, dtype=torch.uint8)

    error = too_large(800, train_on)
    assert str(error) == "batch_size=800 does not fit into the memory: set batch_size=100, which fits"
    assert tried == [400, 200, 100]
    assert "set batch_size=32, which fits" in str(too_large(64, train_on))


def test_no_batch_may_fit_at_all_and_other_errors_are_not_hidden():
    def never(size):
        raise MemoryError

    def broken(size):
        raise RuntimeError("shapes do not match")

    sentence = "batch_size=64 does not fit into the memory: make it smaller, or the network"
    assert str(too_large(64, never)) == str(too_large(64, None)) == sentence
    with pytest.raises(RuntimeError, match="shapes do not match"):
        too_large(64, broken)


def test_the_memory_that_there_is_is_that_of_the_narrowest_limit():
    resource = pytest.importorskip("resource")
    before, limits = available_bytes(), resource.getrlimit(resource.RLIMIT_AS)
    assert 2**28 < before < 2**50
    resource.setrlimit(resource.RLIMIT_AS, (before - 2**20, limits[1]))
    try:
        assert available_bytes() == before - 2**20
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def test_an_allocation_that_fails_names_settings_and_other_errors_stay():
    sentence = r"^the memory does not suffice: make something smaller \(batch_size=8\)$"
    with pytest.raises(LsganError, match=sentence), enough_for("batch_size=8"):
        torch.empty(2**60, dtype=torch.uint8)
    with pytest.raises(RuntimeError, match="shapes do not match"), enough_for("batch_size=8"):
        raise RuntimeError("shapes do not match")
