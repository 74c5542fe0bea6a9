"""D's outputs: their data, and the charts in a browser."""

import re

import pytest
from browser import complaints
from sampled_study import LEAST_SQUARES, NSGAN, Page, browser, quantiles, write

from lsgan.board.outputs import POINTS, outputs
from lsgan.board.write import write as write_page
from lsgan.review.study import read_study

FIGURE = "#outputs-charts figure[data-run='{}']"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A run with quantiles, one of an earlier version, one whose loss has no targets, one that logged nothing."""
    folder = tmp_path_factory.mktemp("studies") / "three"
    rows = [quantiles(10, 0.5, -0.5, 0.25), {"step": 15, "loss/generator": 1.0}, quantiles(20, 1.0, -1.0, 0.125)]
    write(folder, "new", 0, rows=rows)
    logits = {"logits/real_mean": 0.75, "logits/real_std": 0.25, "logits/fake_mean": -0.5, "logits/fake_std": 0.125}
    write(folder, "old", 1, rows=[{"step": 10, **logits}, {"step": 20, **logits, "logits/fake_mean": None}])
    write(folder, "other", 2, loss=NSGAN, choice="nsgan", rows=[quantiles(10, 40.0, -40.0, 0.0)])
    write(folder, "silent", 3)
    return folder


@pytest.fixture(scope="module")
def found(study):
    return {run["name"]: run for run in outputs(read_study(study))["runs"]}


@pytest.fixture(scope="module")
def chrome():
    with browser() as started:
        yield started


@pytest.fixture
def page(chrome, study, tmp_path):
    page = Page(chrome, write_page(study, tmp_path / "board.html").path)
    page.find("#outputs")
    yield page
    assert complaints(chrome) == []


def test_quantiles_are_series_against_the_targets(found):
    new = found["new"]
    assert (new["kind"], new["steps"], new["targets"]) == ("quantiles", [10, 20], {"a": -1.0, "b": 1.0, "c": 0.0})
    assert new["real"] == [[0.3, 0.8], [0.4, 0.9], [0.5, 1.0], [0.6, 1.1], [0.7, 1.2]]
    assert new["fake"] == [[-0.7, -1.2], [-0.6, -1.1], [-0.5, -1.0], [-0.4, -0.9], [-0.3, -0.8]]
    assert new["share"] == [0.25, 0.125]
    assert new["loss"] == "LeastSquares a=-1.0 b=1.0 c=0.0"


def test_a_run_without_quantiles_has_mean_and_deviation(found):
    old = found["old"]
    assert (old["kind"], old["steps"], old["share"]) == ("std", [10, 20], None)
    assert old["real"] == [[0.5, 0.5], [0.75, 0.75], [1.0, 1.0]]
    assert old["fake"] == [[-0.625, None], [-0.5, None], [-0.375, None]]


def test_losses_without_targets_and_runs_without_numbers(found):
    assert (found["other"]["targets"], found["other"]["loss"]) == ({}, "NonSaturating")
    assert (found["silent"]["kind"], found["silent"]["steps"], found["silent"]["real"]) == (None, [], [])


def test_targets_of_differences_are_no_lines_for_what_d_answers(tmp_path):
    paired = LEAST_SQUARES | {"_target_": "lsgan.losses.RelativisticPaired"}
    write(tmp_path / "s", "paired", 0, loss=paired, rows=[quantiles(10, 1.0, 0.0, 0.5)])
    write(tmp_path / "s", "odd", 1, loss={"_target_": 3, "a": 1.0}, rows=[quantiles(10, 1.0, 0.0, 0.5)])
    assert [run["targets"] for run in outputs(read_study(tmp_path / "s"))["runs"]] == [{}, {}]


def test_a_study_that_logged_none_has_no_charts(tmp_path):
    write(tmp_path / "s", "r", 0)
    assert outputs(read_study(tmp_path / "s")) == {}
    assert 'id="outputs"' not in write_page(tmp_path / "s", tmp_path / "board.html").path.read_text()


def test_long_runs_are_thinned_and_keep_their_ends(tmp_path):
    write(tmp_path / "s", "r", 0, rows=[quantiles(step, 1.0, 0.0, 0.5) for step in range(1, 2002)])
    told = outputs(read_study(tmp_path / "s"))
    (run,) = told["runs"]
    assert (told["is_thinned"], len(run["steps"]), run["steps"][0], run["steps"][-1]) == (True, POINTS, 1, 2001)
    assert {b - a for a, b in zip(run["steps"], run["steps"][1:], strict=False)} <= {10, 11}


def test_no_number_breaks_the_page(tmp_path):
    rows = [quantiles(10, 1.0, 0.0, 0.5), {**quantiles(20, 1.0, 0.0, 0.5), "outputs/real_q50": float("nan")}]
    rows.append({**quantiles(30, 1.0, 0.0, 0.5), "outputs/fake_q95": 10**400})
    loss = LEAST_SQUARES | {"a": float("nan"), "b": True, "c": 10**400}
    write(tmp_path / "s", "r", 0, loss=loss, rows=rows)
    (run,) = outputs(read_study(tmp_path / "s"))["runs"]
    assert (run["targets"], run["real"][2], run["fake"][4]) == ({}, [1.0, None, 1.0], [0.2, 0.2, None])


def height(page, run, selector):
    """Where things are in a chart, from above: the first y of each path."""
    script = "return [...document.querySelectorAll(arguments[0])].map((path) => path.getAttribute('d'))"
    page.until("return document.querySelector(arguments[0]) !== null", f"{FIGURE.format(run)} svg path")
    return [float(re.search(r"M\S+ ([-\d.]+)", d)[1]) for d in page.js(script, f"{FIGURE.format(run)} {selector}")]


def test_charts_put_bands_where_the_numbers_are(page):
    targets = height(page, "new", ".target")  # b, c and a from above
    assert len(targets) == 3
    b, c, a = targets
    assert b < c < a
    assert c - b == pytest.approx(a - c, abs=0.2)
    (real,), (fake,) = height(page, "new", ".real.middle"), height(page, "new", ".fake.middle")
    assert real == pytest.approx((b + c) / 2, abs=0.2)  # 0.5
    assert fake == pytest.approx((a + c) / 2, abs=0.2)  # -0.5
    names = "return [...document.querySelectorAll(arguments[0])].map((text) => text.textContent)"
    assert page.js(names, f"{FIGURE.format('new')} text.name") == ["b", "c", "a"]
    page.find(FIGURE.format("other"))
    assert height(page, "other", ".target") == []
    assert page.text(FIGURE.format("silent")).endswith("nothing logged")


def test_one_step_is_read_out_of_all_charts(page):
    at = f"{FIGURE.format('new')} .at"
    assert page.text(at) == "step 20: real 1 (0.8 to 1.2), fakes -1 (-1.2 to -0.8), 12.5 % of fakes on the real side"
    assert page.text(f"{FIGURE.format('old')} .at") == "step 20: real 0.75 (0.5 to 1)"
    page.slide("#outputs-step", 0)
    assert page.js("return board.step()") == 10
    assert page.text(at).startswith("step 10: real 0.5 (0.3 to 0.7), fakes -0.5 (-0.7 to -0.3), 25 %")
    assert page.text("#samples-now") == "step 10 of 30"  # the samples follow
    page.js("board.goto(5)")
    assert page.text(at) == "nothing so early"


def test_a_click_in_a_chart_chooses_the_nearest_step(page):
    from selenium.webdriver import ActionChains

    chart = page.find(f"{FIGURE.format('new')} svg")
    page.until("return document.querySelector(arguments[0]) !== null", f"{FIGURE.format('new')} svg path")
    half = chart.size["width"] / 2
    ActionChains(page.chrome).move_to_element_with_offset(chart, int(0.8 * half), 0).click().perform()
    assert page.js("return board.step()") == 20
    ActionChains(page.chrome).move_to_element_with_offset(chart, int(-0.2 * half), 0).click().perform()
    assert page.js("return board.step()") == 10


def test_axes_are_of_a_loss_of_all_or_of_a_run(page):
    """40 of the other loss flattens the chart of this one only where all share an axis."""
    b, _, a = height(page, "new", ".target")
    page.choose("#outputs-axis", "all")
    flat_b, _, flat_a = height(page, "new", ".target")
    assert a - b > 10 * (flat_a - flat_b) > 0
    page.choose("#outputs-axis", "run")
    own_b, _, own_a = height(page, "new", ".target")
    assert own_a - own_b >= a - b


def test_it_says_what_is_shown_instead_of_quantiles(page):
    told = page.text("#outputs-told")
    assert "1 of these runs has logged no quantiles of D's outputs: shown are mean and one standard deviation" in told
    assert "Lines are medians, dark bands hold the middle half, light ones 90 % of the samples." in told
    page.js("board.choose(['new'])")
    assert "standard deviation" not in page.text("#outputs-told")
    shown = "return [...document.querySelectorAll('#outputs-charts figure')].map((one) => one.dataset.run)"
    assert page.js(shown) == ["new"]
