"""What the words of the figure claim holds for what it draws."""

from lsgan.explain import drawing
from lsgan.explain.choices import Choices
from lsgan.explain.figures.flow import FAR, draw


def drawn(**choices):
    with drawing.style():
        return draw(Choices(**choices), str)


def test_least_squares_is_ahead_of_minimax_under_a_trained_d_and_behind_under_the_optimal_one():
    values = drawn().values
    for time in (1, 10, 100):
        for key in ("zero", "one"):
            assert values[f"minimax_{time}"] < values[f"{key}_{time}"] < values[f"nsgan_{time}"]
    for key in ("zero", "one"):
        assert values[f"{key}_optimal"] < values["minimax_optimal"] < 1e-3 < values["nsgan_optimal"]
        assert values[f"{key}_times"] == values[f"{key}_10"] / values["minimax_10"]
    lead = {time: values[f"zero_{time}"] / values[f"minimax_{time}"] for time in (10, 100, 1000)}
    assert lead[10] > 2 * lead[100] > 2 * lead[1000]


def test_the_chosen_targets_have_a_line_of_their_own_unless_they_are_the_papers():
    for choices, lines in (({}, 4), ({"a": 0.0, "c": 1.0}, 4), ({"c": 0.25}, 5)):
        legend = drawn(**choices).figure.legends[0]
        assert len(legend.get_texts()) == lines
    assert legend.get_texts()[-1].get_text() == "LSGAN (−1, 1, 0.25)"


def test_the_chosen_distance_is_marked_where_it_is_shown():
    count = lambda mean: len(drawn(fake_mean=mean).figure.axes[0].lines)  # noqa: E731
    assert count(FAR) == count(FAR + 0.1) + 1
