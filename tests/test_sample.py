"""`python -m lsgan.sample …` as a user types it."""

import json
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from lsgan import files
from lsgan import sample as sampling
from lsgan.errors import LsganError

SHORT = ("steps=4", "log_every=2", "architecture.width=4", "batch_size=8", "tracker=none", "run=r")


@pytest.fixture
def sample(python):
    def run(*arguments, **options):
        return python("-m", "lsgan.sample", *arguments, **options)

    return run


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_images_and_a_grid(train, sample, tmp_path):
    train(*SHORT, "checkpoint_every=2", "optimizer.lr=0.1")  # else all samples are the same grey
    run = tmp_path / "runs" / "digits" / "r"
    output = sample(f"run={run}", "num_images=70").stdout
    out = run / "generated" / "step-000004-seed0"
    assert f"70 samples of {run}/checkpoints/step-000004.pt in {out}" in output
    assert sorted(path.name for path in out.iterdir()) == [*(f"{i:06d}.png" for i in range(70)), "grid.png"]
    assert pixels(out / "000069.png").shape == (32, 32)
    grid = pixels(out / "grid.png")
    assert np.array_equal(grid[2:34, 2:34, 0], pixels(out / "000000.png"))

    sample(f"run={run}", "num_images=8", "seed=1", "out=a")
    sample(f"run={run}", "num_images=8", "seed=1", "out=b")
    sample(f"run={run}", "num_images=8", "seed=1", "ema=false", "out=c")
    sample(f"run={run}", "num_images=8", "seed=1", f"checkpoint={run}/checkpoints/step-000002.pt", "out=d")
    a, b, c, d = (pixels(tmp_path / name / "grid.png") for name in "abcd")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert not np.array_equal(a, d)


def test_points(train, sample, tmp_path):
    train("dataset=gaussian_ring", "steps=4", "tracker=none", "run=r")
    sample("run=runs/gaussian_ring/r", "num_images=3000", "out=points")
    points = np.loadtxt(tmp_path / "points" / "points.csv", delimiter=",", skiprows=1)
    assert points.shape == (3000, 2)
    assert pixels(tmp_path / "points" / "grid.png").ndim == 3


def test_classes(train, sample, tmp_path):
    train(*SHORT, "architecture=dcgan_small_conditional")
    run = tmp_path / "runs" / "digits" / "r"
    with Image.open(run / "samples" / "000004.jpg") as grid:
        assert grid.size == (8 * 34 + 2, 10 * 34 + 2)  # a class a row
    sample(f"run={run}", "num_images=25", "out=all")
    assert {path.name: len(list(path.iterdir())) for path in (tmp_path / "all").iterdir() if path.is_dir()} == {
        str(label): 3 if label < 5 else 2 for label in range(10)
    }
    assert pixels(tmp_path / "all" / "grid.png").shape == (10 * 34 + 2, 8 * 34 + 2, 3)

    sample(f"run={run}", "num_images=9", "label=7", "out=sevens")
    assert sorted(path.name for path in (tmp_path / "sevens").iterdir()) == ["7", "grid.png"]
    assert len(list((tmp_path / "sevens" / "7").iterdir())) == 9
    first = pixels(tmp_path / "sevens" / "7" / "000000.png")
    assert np.array_equal(pixels(tmp_path / "sevens" / "grid.png")[2:34, 2:34, 0], first)
    sample(f"run={run}", "num_images=9", "label=8", "out=eights")
    assert not np.array_equal(pixels(tmp_path / "eights" / "8" / "000000.png"), first)

    for label in (-1, 10):
        assert sample(f"run={run}", f"label={label}", expect=1).stderr == f"error: label={label} must be in [0, 10)\n"


def test_a_label_for_a_run_without_classes(train, sample, tmp_path):
    train(*SHORT)
    result = sample("run=runs/digits/r", "label=3", expect=1)
    assert result.stderr == "error: label=3 has no meaning: the run is not conditional\n"


def test_class_folders_are_sampled_where_the_images_are_not(train, sample, tmp_path):
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (80 * i, 10, 10)).save(tmp_path / "pets" / name)
    pets = ("dataset=image_folder", "dataset.root=pets", "dataset.resolution=16", "architecture=dcgan_conditional")
    train(*pets, *SHORT, "batch_size=2")
    shutil.rmtree(tmp_path / "pets")
    sample("run=runs/image_folder/r", "num_images=4", "out=some")
    assert sorted(str(path.relative_to(tmp_path / "some")) for path in (tmp_path / "some").rglob("*.png")) == [
        "0/000000.png", "0/000001.png", "1/000000.png", "1/000001.png", "grid.png",
    ]  # fmt: skip


def test_stylegans_zip_is_trained_on_and_sampled_by_its_labels(train, sample, tmp_path):
    names = [f"{i // 3:05d}/img{i:08d}.png" for i in range(8)]
    Image.new("RGB", (16, 16), "red").save(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for name in names:
            archive.write(tmp_path / "x.png", name)
        archive.writestr("dataset.json", json.dumps({"labels": [[name, i % 5] for i, name in enumerate(names)]}))
    faces = (
        "dataset=image_folder",
        "dataset.root=faces.zip",
        "dataset.resolution=16",
        "architecture=dcgan_conditional",
    )
    told = train(*faces, *SHORT, "batch_size=2").stdout
    assert "\nclasses: 5 of dataset.json: 0, 1, 2, 3, 4\n" in told
    sample("run=runs/image_folder/r", "num_images=2", "label=4", "out=some")
    assert len(list((tmp_path / "some" / "4").glob("*.png"))) == 2
    error = sample("run=runs/image_folder/r", "label=5", expect=1).stderr
    assert error == "error: label=5 must be in [0, 5)\n"


def test_mistakes(sample, tmp_path):
    for arguments, message in {
        (): "run must be given: add run=<value>",
        ("run",): "run must be given: add run=<value>",
        ("run=nowhere",): "nowhere is not a run folder",
        ("run=nowhere", "num_image=3"): "num_image is read by nothing (did you mean num_images?): take it out",
        ("run=nowhere", "num_images=0"): "num_images=0 must be at least 1",
        ("run=nowhere", "num_images=few"): "num_images=few must be an integer",
        ("run=nowhere", "ema=maybe"): "ema=maybe must be true or false",
    }.items():
        result = sample(*arguments, expect=1)
        assert result.stderr == f"error: {message}\n" or result.stderr.startswith(f"error: {message}: ")
    assert "num_images   how many samples" in sample("--help").stdout


def test_a_run_without_a_checkpoint(train, sample, tmp_path):
    train(*SHORT)
    run = tmp_path / "runs" / "digits" / "r"
    for path in (run / "checkpoints").iterdir():
        path.unlink()
    assert sample(f"run={run}", expect=1).stderr == f"error: {run} holds no checkpoint yet\n"


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def run(short_run):
    return short_run()


@pytest.fixture
def sample_here(monkeypatch, tmp_path, capsys):
    """`python -m lsgan.sample …` in this process, in tmp_path; what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr("sys.argv", ["sample", *words])
        sampling.main()
        return capsys.readouterr().out

    return run


def test_a_folder_holds_what_the_last_command_made(run, sample_here, tmp_path):
    for out in (run / "generated" / "step-000004-seed0", tmp_path / "mine"):
        where = () if out.parent != tmp_path else ("out=mine",)
        sample_here(f"run={run}", "num_images=12", *where)
        first = pixels(out / "000002.png")
        assert "10 samples" in sample_here(f"run={run}", "num_images=10", *where)
        assert names(out) == [*(f"{i:06d}.png" for i in range(10)), "grid.png"]
        assert np.array_equal(pixels(out / "000002.png"), first)
        assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    with Image.open(tmp_path / "mine" / "grid.png") as grid:
        assert "10 samples of" in grid.text["Description"]


def test_of_a_command_that_failed_nothing_is_there(run, sample_here, tmp_path, monkeypatch):
    sample_here(f"run={run}", "num_images=3", "out=mine")
    before = {name: (tmp_path / "mine" / name).read_bytes() for name in names(tmp_path / "mine")}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Image.Image, "save", full)
        with pytest.raises(LsganError, match=r"^out=mine cannot be written \(No space left on device\)"):
            sample_here(f"run={run}", "num_images=5", "out=mine")
        with pytest.raises(LsganError, match=r"^out=other cannot be written"):
            sample_here(f"run={run}", "num_images=5", "out=other")
    assert {name: (tmp_path / "mine" / name).read_bytes() for name in names(tmp_path / "mine")} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "runs"]


def test_files_of_others_are_not_replaced(run, sample_here, tmp_path, monkeypatch):
    monkeypatch.setattr(sampling.trained.TrainedRun, "_generate", None)  # nothing is drawn before
    places = {
        "holiday": ("holiday/000000.png", "holiday/beach.jpg"),
        "numbered": ("numbered/000000.png", "numbered/000001.png"),  # a data set, say
        "pictured": ("pictured/000000.png", "pictured/grid.png"),
        "classes": ("classes/0/000000.png", "classes/1/000000.png"),
        "deep": ("deep/0/0/000000.png",),
        "table": ("table/points.csv",),
    }
    for place, paths in places.items():
        for path in paths:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4)).save(tmp_path / path, "PNG")
        with pytest.raises(LsganError, match=f"^out={place} holds .*, which lsgan.sample has not written and would"):
            sample_here(f"run={run}", f"out={place}")
        assert names(tmp_path / place) == sorted(path.removeprefix(f"{place}/") for path in paths)
    own = run / "generated" / "step-000004-seed0"
    own.mkdir(parents=True)
    (own / "notes.txt").write_text("mine")
    with pytest.raises(LsganError, match=r"holds notes.txt, which lsgan.sample has not written"):
        sample_here(f"run={run}")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LsganError, match=r"^out=file is a file: name a folder$"):
        sample_here(f"run={run}", "out=file")
    with pytest.raises(LsganError, match=r"^out=file/in cannot be written \(Not a directory\)"):
        sample_here(f"run={run}", "out=file/in")
    with pytest.raises(LsganError, match=r"^out=\. cannot be replaced"):
        sample_here(f"run={run}", "out=.")


def test_places_that_may_be_replaced(run, sample_here, tmp_path):
    (tmp_path / "empty").mkdir()
    sample_here(f"run={run}", "num_images=2", "out=empty")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    sample_here(f"run={run}", "num_images=3", "out=link")
    assert len(names(tmp_path / "empty")) == 4
    old = run / "generated" / "step-000004-seed0"  # of an earlier version, whose pictures say nothing
    old.mkdir(parents=True)
    for name in ("000000.png", "000001.png", "000002.png", "grid.png"):
        Image.new("L", (4, 4)).save(old / name)
    sample_here(f"run={run}", "num_images=2")
    assert names(old) == ["000000.png", "000001.png", "grid.png"]
    sample_here(f"run={run}", "num_images=1", "out=010")  # no octal number
    assert names(tmp_path / "010") == ["000000.png", "grid.png"]


@pytest.mark.parametrize("name", ["step-000002.pt", "step-2", "2", "000002", "checkpoints/step-000002.pt"])
def test_a_checkpoint_is_looked_for_in_the_run(run, sample_here, name):
    assert f"of {run}/checkpoints/step-000002.pt in" in sample_here(f"run={run}", "num_images=1", f"checkpoint={name}")


def test_the_best_checkpoint_and_a_miss(run, sample_here):
    for name in ("best", "best.pt"):
        assert "checkpoints/best.pt in" in sample_here(f"run={run}", "num_images=1", f"checkpoint={name}")
    for name in ("60", "step-000060.pt", "nowhere/step-000002.pt", "last"):
        with pytest.raises(LsganError) as error:
            sample_here(f"run={run}", f"checkpoint={name}")
        assert str(error.value) == (
            f"checkpoint={name} is neither a file nor a checkpoint of {run}, which has step-000002.pt, step-000004.pt, "
            "best.pt"
        )


def test_two_at_once_do_not_mix(run, sample_here, tmp_path):
    with (
        files.put_in_place(tmp_path / "mine"),
        pytest.raises(LsganError, match=r"another process is writing .*/mine"),
    ):
        sample_here(f"run={run}", "num_images=1", "out=mine")


def test_a_strip_for_each_pair(run, sample_here, tmp_path):
    told = sample_here(f"run={run}", "interpolate=5", "pairs=3")
    out = run / "generated" / "step-000004-seed0-interpolation"
    assert told == (
        f"3 × 5 samples between pairs of z, of {run}/checkpoints/step-000004.pt in {out}, "
        f"see {out / 'interpolation.png'}\n"
    )
    assert names(out) == ["interpolation.png"]
    strip = pixels(out / "interpolation.png")
    assert strip.shape == (3 * 34 + 2, 5 * 34 + 2, 3)
    sample_here(f"run={run}", "num_images=6", "out=six")
    for pair in range(3):  # samples 2·i and 2·i + 1 are its ends
        for column, i in ((0, 2 * pair), (4, 2 * pair + 1)):
            image = strip[34 * pair + 2 : 34 * pair + 34, 34 * column + 2 : 34 * column + 34, 0]
            assert np.abs(image.astype(int) - pixels(tmp_path / "six" / f"{i:06d}.png")).max() <= 1
    sample_here(f"run={run}", "interpolate=4", "film=gif", "fps=10")  # in the place of the one before
    with Image.open(out.parent / out.name / "interpolation.gif") as film:
        assert (film.n_frames, film.size, film.info["duration"]) == (6, (8 * 34 + 2, 34 + 2), 100)  # there and back
    assert names(out) == ["interpolation.gif", "interpolation.png"]


def test_strips_of_a_conditional_run_have_a_class_each(short_run, sample_here, tmp_path):
    run = short_run("architecture=dcgan_small_conditional")
    sample_here(f"run={run}", "interpolate=3", "pairs=12", "out=all")
    sample_here(f"run={run}", "interpolate=3", "pairs=12", "label=4", "out=fours")
    rows = [pixels(tmp_path / name / "interpolation.png")[2:].reshape(12, 34, -1) for name in ("all", "fours")]
    assert [np.array_equal(mine, other) for mine, other in zip(*rows, strict=True)] == [i == 4 for i in range(12)]
    with pytest.raises(LsganError, match=r"^label=10 must be in \[0, 10\)$"):
        sample_here(f"run={run}", "interpolate=3", "label=10")


def test_truncated_samples_lie_nearer_to_one_another(run, sample_here, tmp_path):
    spread = []
    for words in ((), ("truncation=0.001",)):  # tiny: after four steps G is far from linear in z
        sample_here(f"run={run}", "num_images=30", *words)
        out = run / "generated" / "-".join(["step-000004-seed0", *(word.replace("=", "") for word in words)])
        spread.append(np.stack([pixels(out / f"{i:06d}.png") for i in range(30)]).astype(float).std(0).mean())
    assert spread[0] > 1.5 * spread[1]
    with Image.open(out / "grid.png") as grid:
        assert grid.text["Description"].endswith("step-000004.pt, seed 0, truncation 0.001")
    for value in ("0", "-1"):
        with pytest.raises(LsganError, match=rf"^truncation={value} must be above 0$"):
            sample_here(f"run={run}", f"truncation={value}")


def test_a_film_of_the_training(run, sample_here, capsys, tmp_path):
    for path in (run / "checkpoints").iterdir():  # it needs none
        path.unlink()
    grid = run / "samples" / "000004.jpg"
    steps = [4, 8, 9, 30]
    for step in steps[1:]:
        Image.open(grid).rotate(step).save(run / "samples" / f"{step:06d}.jpg")
    (run / "samples" / "000009.jpg").write_bytes(grid.read_bytes()[:300])  # torn
    told = sample_here(f"run={run}", "film=gif")
    out = run / "generated" / "training"
    assert f"3 sample grids of {run}, steps 4 to 30, in {out}, and {out / 'training.gif'}" in told
    assert names(out) == ["training.gif", "training.png"]
    with Image.open(out / "training.gif") as film, Image.open(grid) as first:
        assert film.n_frames == 3
        shown = film.convert("RGB").crop((0, film.height - first.height, first.width, film.height))
        assert np.abs(np.asarray(shown).astype(int) - np.asarray(first.convert("RGB"))).mean() < 2
    sample_here(f"run={run}", "film=mp4", f"out={tmp_path / 'f'}")
    sample_here(f"run={run}", "film=mp4", f"out={tmp_path / 'f'}")  # its own may be replaced
    assert names(tmp_path / "f") == ["training.mp4", "training.png"]
    (tmp_path / "f" / "training.png").unlink()
    with pytest.raises(LsganError, match=r"^out=.*/f holds training.mp4, which lsgan.sample has not written"):
        sample_here(f"run={run}", "film=mp4", f"out={tmp_path / 'f'}")
    for path in (run / "samples").iterdir():
        path.unlink()
    with pytest.raises(LsganError, match=rf"^film=gif: {run} holds no sample grids"):
        sample_here(f"run={run}", "film=gif")


def test_a_long_training_is_shown_by_some_of_its_grids(run, sample_here, monkeypatch):
    for step in range(5, 15):
        shutil.copy(run / "samples" / "000004.jpg", run / "samples" / f"{step:06d}.jpg")
    monkeypatch.setattr(sampling, "_MOST_FRAMES", 4)
    seen = []
    monkeypatch.setattr("lsgan.film.captioned", lambda picture, text: seen.append(text) or picture)
    assert f"4 of the 11 sample grids of {run}, steps 4 to 14, in" in sample_here(f"run={run}", "film=gif")
    assert seen == ["step 4", "step 7", "step 10", "step 14"]


def test_settings_that_say_nothing_beside_others(run, sample_here):
    for words, message in {
        ("pairs=3",): "pairs=3 says nothing without interpolate=<steps>: add that, or take it out",
        ("fps=3",): "fps=3 says nothing without film=gif or film=mp4: add one, or take it out",
        ("interpolate=4", "num_images=3"): (
            "num_images=3 says nothing beside interpolate=: pairs= says how many strips there are"
        ),
        ("film=gif", "label=3"): ("label=3 says nothing to a film of the training: take it out, or add interpolate="),
        ("interpolate=1",): "interpolate=1 must be at least 2",
        ("interpolate=4", "pairs=0"): "pairs=0 must be at least 1",
        ("interpolate=few",): "interpolate=few must be an integer or null",
        ("film=avi",): "film=avi must be one of gif, mp4",
        ("film=gif", "fps=100"): "fps=100 must be from 1 to 50",
    }.items():
        with pytest.raises(LsganError) as error:
            sample_here(f"run={run}", *words)
        assert str(error.value) == message


def test_points_have_no_strip(short_run, sample_here):
    run = short_run("dataset=gaussian_ring", "architecture.width=4")
    with pytest.raises(LsganError, match=r"^interpolate=4: the run draws points, and a strip shows images"):
        sample_here(f"run={run}", "interpolate=4")
    assert f"1 sample grid of {run}, step 4, in" in sample_here(f"run={run}", "film=gif")
