import math
from types import SimpleNamespace

import pytest

from lsgan.losses import Hinge, LeastSquares, NonSaturating, Wasserstein
from lsgan.observe.numbers import Numbers
from lsgan.observe.observer import Observers
from lsgan.observe.theory import Theory


@pytest.mark.parametrize(
    ("loss", "lines"),
    [
        (LeastSquares(a=0, b=1, c=1), (0.25, 0.125, 0.5)),
        (NonSaturating(), (2 * math.log(2), math.log(2), None)),  # without bound
        (Hinge(), (2, None, 1)),  # not determined
        (Wasserstein(), (0, None, None)),
    ],
)
def test_lines_of_what_is_determined_and_finite(loss, lines):
    names = ("theory/d_loss_at_equilibrium", "theory/g_loss_at_equilibrium", "theory/g_loss_if_d_wins")
    expected = {name: value for name, value in zip(names, lines, strict=True) if value is not None}
    assert Theory().see(SimpleNamespace(loss=loss)).scalars == pytest.approx(expected)
    assert Theory.columns == names


def test_it_looks_where_the_losses_are_written():
    observers = Observers({"theory": Theory(), "numbers": Numbers(10)})
    assert observers.due(10) == ["numbers", "theory"]
    assert observers.due(11) == []
    assert observers.due(11, is_last=True) == ["numbers", "theory"]
    assert Observers({"theory": Theory()}).due(10) == []
