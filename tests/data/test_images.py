import pytest

from lsgan.data.digits import Digits


def test_resolution_and_channels_are_checked():
    assert Digits(name="x", resolution=1, channels=3).shape == (3, 1, 1)
    with pytest.raises(ValueError, match="resolution=0 must be at least 1"):
        Digits(name="x", resolution=0)
    for channels in (0, 2, 4):
        with pytest.raises(ValueError, match=f"channels={channels} must be 1 or 3"):
            Digits(name="x", resolution=32, channels=channels)
