"""The viewer of samples: its data, and what it does in a browser."""

import json

import pytest
from browser import complaints
from sampled_study import NSGAN, Page, browser, colour, write

from lsgan.board.samples import samples
from lsgan.board.write import write as write_page
from lsgan.review.study import read_study

PICTURE = "#samples-grid figure[data-run='{}'] .picture"
# Whether a place of a picture, (0, 0) to (1, 1), has a colour. It is read from a copy, for it is read often.
CLOSE = """
const canvas = document.querySelector(arguments[0]);
const copy = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
const context = copy.getContext('2d', {willReadFrequently: true});
context.drawImage(canvas, arguments[1] * canvas.width, arguments[2] * canvas.height, 1, 1, 0, 0, 1, 1);
const [near, wanted] = [[...context.getImageData(0, 0, 1, 1).data], arguments[3]];
return wanted.every((value, i) => Math.abs(value - near[i]) < 12);
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two losses and two seeds; one run lacks a step, one has no samples."""
    folder = tmp_path_factory.mktemp("studies") / "two"
    write(folder, "lsgan-s0", 0)
    write(folder, "lsgan-s1", 1, steps=(10, 30))
    write(folder, "nsgan-s0", 0, loss=NSGAN, choice="nsgan", steps=(20, 30))
    write(folder, "nsgan-s1", 1, loss=NSGAN, choice="nsgan", steps=(), status="failed")
    return folder


@pytest.fixture(scope="module")
def chrome():
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def file(study, tmp_path_factory):
    return write_page(study, tmp_path_factory.mktemp("page") / "board.html").path


@pytest.fixture
def page(chrome, file):
    page = Page(chrome, file)
    page.find("#samples-grid")
    yield page
    assert complaints(chrome) == []


def shows(page, run, seed, step, *, x=0.25, canvas=None):
    """Waits until the left half of a picture has the colour of a step."""
    selector = canvas or f"{PICTURE.format(run)} canvas"
    page.until(CLOSE, selector, x, 0.5, colour(seed, step))


def marked(page, run):
    return page.text(f"#samples-grid figure[data-run='{run}'] figcaption span:last-child")


def test_the_data_tell_which_picture_is_which(study):
    found = samples(read_study(study), 10_000_000)
    assert [(run["name"], run["steps"]) for run in found["runs"]] == [
        ("lsgan-s0", [10, 20, 30]),
        ("lsgan-s1", [10, 30]),
        ("nsgan-s0", [20, 30]),
        ("nsgan-s1", []),
    ]
    assert found["told"] == "All 7 grids: recompressed (WebP, quality 80) to fit into 10.0 MB."
    assert found["left_out"] == []
    assert {tuple(size) for size in found["sizes"]} == {(96, 64)}
    assert len(json.dumps(found)) < 10_000


def test_what_was_done_to_fit_is_told(study, tmp_path):
    write(tmp_path / "s", "r", 0, steps=range(100))
    found = samples(read_study(tmp_path / "s"), 20_000)
    kept = len(found["runs"][0]["steps"])
    assert 2 <= kept < 100
    assert found["told"].startswith(f"{kept} of 100 grids, first and last of each run among them: recompressed (WebP")
    assert found["told"].endswith("to fit into 20 kB.")
    assert sum(map(len, found["images"])) <= 20_000
    nothing = samples(read_study(study), 50)
    assert (
        nothing["told"] == "No picture is shown: the page has 0 kB left for them, which is too little. Raise budget_mb."
    )


def test_what_is_left_out_is_named(tmp_path):
    run = write(tmp_path / "s", "r", 0)
    (run / "samples" / "000020.jpg").write_bytes(b"no picture")
    (told,) = samples(read_study(tmp_path / "s"), 10_000_000)["left_out"]
    assert told.startswith("r/samples/000020.jpg is left out: cannot identify image file")


def test_a_study_without_pictures_has_no_viewer(tmp_path):
    write(tmp_path / "s", "r", 0, steps=())
    assert samples(read_study(tmp_path / "s"), 10_000_000) == {}
    assert 'id="samples"' not in write_page(tmp_path / "s", tmp_path / "board.html").path.read_text()


def test_it_begins_with_the_last_step_by_what_was_chosen(page):
    assert page.text("#samples-now") == "step 30 of 30"
    heads = "return [...document.querySelectorAll('#samples-grid th')].map((th) => th.textContent)"
    assert page.js(heads) == ["seed=0", "seed=1", "real images", "loss=lsgan", "loss=nsgan"]
    shows(page, "lsgan-s0", 0, 30)
    shows(page, "lsgan-s1", 1, 30)
    page.until(CLOSE, "#samples-grid tr:first-child td:last-child canvas", 0.25, 0.5, (250, 250, 250))
    assert page.text("#samples-grid div.none") == "failed  no samples"


def test_one_slider_moves_all_and_marks_what_is_earlier(page):
    from selenium.webdriver.common.keys import Keys

    page.press("#samples-step", Keys.ARROW_LEFT)
    assert page.text("#samples-now") == "step 20 of 30"
    shows(page, "lsgan-s0", 0, 20)
    shows(page, "lsgan-s1", 1, 10)  # it has none of step 20
    assert (marked(page, "lsgan-s0"), marked(page, "lsgan-s1")) == ("", "of step 10")
    page.press("#samples-step", Keys.HOME)
    shows(page, "lsgan-s0", 0, 10)
    assert marked(page, "nsgan-s0") == "none before step 20"
    page.until(CLOSE, f"{PICTURE.format('nsgan-s0')} canvas", 0.25, 0.5, (0, 0, 0))  # nothing is drawn
    label = page.find(PICTURE.format("lsgan-s1")).get_attribute("aria-label")
    assert label == "loss=lsgan seed=1, of step 10: enlarge"


def test_arrow_keys_step_from_a_picture(page):
    from selenium.webdriver.common.keys import Keys

    page.press(PICTURE.format("lsgan-s0"), Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.text("#samples-now") == "step 10 of 30"
    page.press(PICTURE.format("lsgan-s0"), Keys.ARROW_RIGHT)
    shows(page, "lsgan-s0", 0, 20)
    page.press(PICTURE.format("lsgan-s0"), Keys.END)
    assert page.text("#samples-now") == "step 30 of 30"


def test_it_plays_as_a_film_and_stops_at_the_end(page):
    page.js("window.seen = []; board.onStep((step) => window.seen.push(step))")
    page.find("#samples-play").click()
    assert page.text("#samples-play") == "Pause"
    page.until("return document.getElementById('samples-play').textContent === 'Play'")
    assert page.js("return window.seen") == [10, 20, 30]
    page.find("#samples-play").click()
    page.find("#samples-play").click()  # pauses
    assert page.text("#samples-play") == "Play"
    assert page.js("return board.step()") == 10


def test_rows_and_columns_are_any_two_choices(page):
    rows = """return [...document.querySelectorAll('#samples-grid tbody tr')].map(
        (tr) => [...tr.querySelectorAll('[data-run]')].map((one) => one.dataset.run))"""
    page.js("document.getElementById('samples-real').click()")
    assert page.js(rows) == [["lsgan-s0", "lsgan-s1"], ["nsgan-s0", "nsgan-s1"]]
    page.choose("#samples-rows", "seed")
    page.choose("#samples-columns", "loss")
    assert page.js(rows) == [["lsgan-s0", "nsgan-s0"], ["lsgan-s1", "nsgan-s1"]]
    page.choose("#samples-columns", "")
    page.choose("#samples-rows", "")
    assert page.js(rows) == [["lsgan-s0", "lsgan-s1", "nsgan-s0", "nsgan-s1"]]
    assert page.text("#samples-grid figure[data-run='lsgan-s1'] figcaption").startswith("loss=lsgan seed=1")
    shows(page, "lsgan-s1", 1, 30)


def test_only_chosen_runs_are_shown_and_only_their_steps(page):
    page.js("board.choose(['nsgan-s0'])")
    shown = "return [...document.querySelectorAll('#samples-grid [data-run]')].map((one) => one.dataset.run)"
    assert set(page.js(shown)) == {"nsgan-s0"}
    assert page.js("return document.getElementById('samples-step').max") == "1"  # steps 20 and 30
    page.js("board.choose([])")
    assert page.text("#samples-now") == "no samples"


def test_a_step_of_other_parts_moves_the_slider(page):
    page.js("board.goto(27)")
    assert page.text("#samples-now") == "step 20 of 30"
    shows(page, "lsgan-s0", 0, 20)


def test_a_click_enlarges_beside_the_real_images(page):
    from selenium.webdriver.common.keys import Keys

    page.find(PICTURE.format("lsgan-s1")).click()
    assert page.js("return document.getElementById('samples-dialog').open")
    page.until("return document.querySelectorAll('#samples-panes canvas').length === 2")
    shows(page, None, 1, 30, canvas="#samples-panes figure:first-child canvas")
    page.until(CLOSE, "#samples-panes figure:last-child canvas", 0.25, 0.5, (250, 250, 250))
    wide = "return document.querySelector(arguments[0]).getBoundingClientRect().width"
    assert page.js(wide, "#samples-panes canvas") > 1.5 * page.js(wide, PICTURE.format("lsgan-s1"))
    page.press("#samples-close", Keys.ARROW_LEFT)  # the step bar has come along
    assert "step 10" in page.text("#samples-panes figcaption")
    assert page.js("return document.getElementById('samples-dialog').contains(document.getElementById('samples-step'))")
    page.press("#samples-close", Keys.ESCAPE)
    page.until("return document.getElementById('samples-home').contains(document.getElementById('samples-step'))")
    assert page.js("return document.activeElement.closest('figure').dataset.run") == "lsgan-s1"


def test_zoom_shows_the_same_part_of_all(page):
    from selenium.webdriver.common.keys import Keys

    page.find(PICTURE.format("lsgan-s0")).click()
    page.choose("#samples-b", "=lsgan-s1")
    page.until("return document.querySelectorAll('#samples-panes figure').length === 3")
    page.press("#samples-close", "+", "+", "+")
    page.press("#samples-close", *[Keys.SHIFT, *[Keys.ARROW_LEFT] * 9])
    shows(page, None, 0, 30, canvas="#samples-panes figure:nth-child(1) canvas", x=0.9)  # the blue half is out of sight
    shows(page, None, 1, 30, canvas="#samples-panes figure:nth-child(2) canvas", x=0.9)
    page.until(CLOSE, "#samples-panes figure:nth-child(3) canvas", 0.9, 0.5, (250, 250, 250))
    page.find("#samples-close").click()
    shows(page, "nsgan-s0", 0, 30, x=0.9)  # in the overview too
    page.press(PICTURE.format("nsgan-s0"), "0")
    page.until(CLOSE, f"{PICTURE.format('nsgan-s0')} canvas", 0.9, 0.5, (0, 0, 250))


def test_dragging_moves_what_is_seen_and_opens_nothing(page):
    from selenium.webdriver import ActionChains

    page.slide("#samples-zoom", 4)
    picture = page.find(PICTURE.format("lsgan-s0"))
    page.until(CLOSE, f"{PICTURE.format('lsgan-s0')} canvas", 0.75, 0.5, (0, 0, 250))
    ActionChains(page.chrome).click_and_hold(picture).move_by_offset(60, 0).move_by_offset(60, 0).release().perform()
    shows(page, "lsgan-s0", 0, 30, x=0.75)  # a part that was blue, and has come from the left
    shows(page, "lsgan-s1", 1, 30, x=0.75)
    assert not page.js("return document.getElementById('samples-dialog').open")


def test_two_runs_under_a_wipe(page):
    from selenium.webdriver.common.keys import Keys

    page.find("#samples-compare").click()
    clip = "return document.querySelector('#samples-panes .over').style.clipPath"
    assert page.js(clip) == "inset(0px 50% 0px 0px)"
    shows(page, None, 0, 30, canvas="#samples-panes .over")
    shows(page, None, 1, 30, canvas="#samples-panes .stack canvas:not(.over)")
    page.press("#samples-edge", *[Keys.ARROW_RIGHT] * 10)
    assert page.js(clip) == "inset(0px 40% 0px 0px)"
    assert page.find("#samples-edge").get_attribute("aria-valuetext") == "A left of 60 percent, B right of it"
    page.choose("#samples-b", "real")
    page.until(CLOSE, "#samples-panes .stack canvas:not(.over)", 0.25, 0.5, (250, 250, 250))
    page.find("#samples-wipe").click()
    assert page.js("return document.querySelectorAll('#samples-panes figure').length") == 2
    assert not page.find("#samples-edge-label").is_displayed()


def test_the_edge_is_dragged(page):
    from selenium.webdriver import ActionChains

    page.find("#samples-compare").click()
    edge = page.find("#samples-panes .edge")
    half = page.find("#samples-panes .stack").size["width"] // 2
    ActionChains(page.chrome).click_and_hold(edge).move_by_offset(-half, 0).release().perform()
    assert page.js("return document.querySelector('#samples-panes .over').style.clipPath") == "inset(0px 100% 0px 0px)"


def test_it_fits_a_phone(page):
    from browser import resize

    resize(page.chrome, 390, 844)
    try:
        wide = "return document.documentElement.scrollWidth"
        assert page.js(wide) == 390
        page.find("#samples-compare").click()
        page.until("return document.querySelector('#samples-panes canvas').getBoundingClientRect().width > 250")
        assert page.js(wide) == 390
    finally:
        resize(page.chrome, 1200, 900)


def test_names_are_text_whatever_they_are(chrome, tmp_path):
    evil = "<img src=x onerror=document.title=1>"
    for seed in (0, 1):
        loss = {"_target_": f"lsgan.losses.{evil}<script>document.title=1<", "a": seed}
        run = write(tmp_path / evil, f"{evil}-s{seed}", seed, loss=loss, choice=f"{evil}{seed}")
        (run / "samples" / "000020.jpg").write_bytes(b"<script>document.title=1</script>")
    page = Page(chrome, write_page(tmp_path / evil, tmp_path / "board.html").path)
    page.find("#samples-grid .picture").click()
    assert evil in page.text("#samples-a")
    assert evil in page.text("#samples-left-out")
    assert evil in page.text("#samples-grid")
    assert page.js("return document.querySelectorAll('#samples img, #samples script, #outputs img').length") == 0
    assert page.chrome.title == f"{evil} · lsgan"
    assert complaints(chrome) == []
