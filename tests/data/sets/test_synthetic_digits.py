import numpy as np
import pytest

from lsgan.data.sets.synthetic_digits import SyntheticDigits


def digits(num_images=500, max_shift=3, max_degrees=0.0):
    return SyntheticDigits(
        name="synthetic_digits",
        num_images=num_images,
        max_shift=max_shift,
        max_degrees=max_degrees,
        resolution=28,
        channels=1,
    )


def test_ten_digits_in_as_many_places_as_there_are_shifts(tmp_path):
    store = digits().prepare(tmp_path)
    assert store.images.shape == (500, 28, 28, 1)
    assert (store.classes, digits().num_classes) == (list("0123456789"), 10)
    counts = np.bincount(store.labels, minlength=10)
    assert counts.min() > 25
    pictures = {(label, image.tobytes()) for label, image in zip(store.labels, store.images, strict=True)}
    assert len(pictures) == 10 * 7
    for image in store.images:  # white on black, nothing cut off at the border
        assert (image.min(), image.max()) == (0, 255)
        assert not image[0].any()
        assert not image[-1].any()
        assert not image[:, 0].any()
        assert not image[:, -1].any()


def test_digits_differ_by_their_shift_alone(tmp_path):
    store = digits(max_shift=1).prepare(tmp_path)
    sevens = np.unique(store.images[store.labels == 7, ..., 0], axis=0)
    assert len(sevens) == 3
    for seven in sevens:
        assert any(np.array_equal(np.roll(seven, by, axis=1), other) for other in sevens for by in (-1, 1))


def test_turned_digits_are_all_different(tmp_path):
    store = digits(max_shift=0, max_degrees=10).prepare(tmp_path)
    assert len(np.unique(store.images, axis=0)) > 450


def test_the_same_every_time(tmp_path):
    first, second = (digits(max_degrees=5).prepare(tmp_path / name).images for name in "ab")
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_images": 0}, "num_images=0 must be at least 1"),
        ({"max_shift": -1}, "max_shift=-1 and max_degrees=0 must not be negative"),
        ({"max_degrees": -0.1}, "max_shift=3 and max_degrees=-0.1 must not be negative"),
    ],
)
def test_bounds(settings, message):
    with pytest.raises(ValueError, match=message):
        digits(**settings)
    digits(num_images=1, max_shift=0, max_degrees=0)
