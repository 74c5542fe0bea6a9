import pytest
import torch
from torch import nn

from lsgan.training.runtime import Runtime


def test_auto_takes_what_is_there():
    assert Runtime("auto").torch_device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert Runtime("cpu").torch_device.type == "cpu"


def test_memory_layout():
    convolution = nn.Conv2d(4, 8, 3)
    assert Runtime("cpu").place(convolution).weight.is_contiguous(memory_format=torch.channels_last)
    assert Runtime("cpu", channels_last=False).place(convolution).weight.is_contiguous()


def test_layouts_agree():
    torch.manual_seed(0)
    convolution, images = nn.Conv2d(4, 8, 5).double(), torch.randn(2, 4, 9, 9, dtype=torch.float64)
    expected = convolution(images)
    torch.testing.assert_close(Runtime("cpu").place(convolution)(images), expected)


def test_bad_devices_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="device=tpu must be auto, cpu or cuda"):
        Runtime("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="PyTorch sees no CUDA GPU here: use runtime=cpu or runtime=auto"):
        Runtime("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert Runtime("cuda").torch_device.type == "cuda"
