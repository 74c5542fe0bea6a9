"""What benchmarks/mixture.py measures, and how benchmarks train."""

import json
from pathlib import Path

import pytest
import torch

from lsgan import config
from lsgan.data.sets.gaussian_ring import GaussianRing
from lsgan.streams import stream

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
RING = GaussianRing(name="ring")
DOUBLED = GaussianRing(name="ring", weights=[1, 1, 2, 1, 1, 1, 1, 1])


@pytest.fixture
def mixture(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import mixture

    return mixture


def spread(std, *centres):
    """2000 points about each centre."""
    noise = std * torch.randn(2000 * len(centres), 2, generator=stream(0, "spread"))
    return torch.tensor(centres).repeat_interleave(2000, dim=0) + noise


def test_places_of_the_authors_figure(mixture):
    assert [mixture.places(ring, ring.points(5120, stream(0, "x"))) for ring in (RING, DOUBLED)] == [8, 8]
    assert mixture.places(RING, spread(0.01, [1.0, 0.0], [0.0, 1.0])) == 2
    assert mixture.places(RING, spread(0.1, [-1.0, 0.0])) == 1  # ten times as wide as the mode: it is lenient
    assert mixture.places(RING, spread(0.01, [0.8, 0.0], [0.0, 0.0])) == 0  # further off than the bandwidth
    assert mixture.places(RING, spread(0.2, [0.0, 0.0])) == 0


def test_a_place_needs_a_quarter_of_the_density_of_the_real_points(mixture):
    """A twelfth of the points is enough for a mode with an eighth, a fiftieth is not."""
    for others, expected in ((11, 1), (49, 0)):
        samples = torch.cat([spread(0.01, [1.0, 0.0])[:100], torch.zeros(100 * others, 2)])
        assert mixture.places(RING, samples) == expected


def test_the_density_is_one(mixture):
    values = mixture.density(spread(0.01, [0.5, -0.5]))
    assert values.sum() * (mixture.AXIS[1] - mixture.AXIS[0]) ** 2 == pytest.approx(1, abs=0.01)
    x, y = divmod(int(values.argmax()), len(mixture.AXIS))
    assert (mixture.AXIS[x], mixture.AXIS[y]) == (pytest.approx(0.5, abs=0.01), pytest.approx(-0.5, abs=0.01))


def test_differences_of_pairs(mixture):
    assert mixture.compared([1.0, 2.0, 3.0]) == ("+2.0 (-0.5 to +4.5)", "3, 0", "0.25")
    assert mixture.compared([0.0, 0.0]) == ("+0.0 (+0.0 to +0.0)", "0, 0", "1")


def test_every_recipe_is_one(mixture, composed):
    steps = {}
    for name, overrides in mixture.RECIPES.items():
        experiment = config.assemble(composed("experiment=paper_gaussian_mixture", *overrides))
        steps[name] = (experiment.recipe.simultaneous, experiment.state.discriminator_optimizer.defaults["lr"])
        assert experiment.state.generator_optimizer.defaults["lr"] == 1e-3
    assert steps == {"authors": (True, 1e-4), "ours": (False, 1e-4), "d1e-3": (False, 1e-3)}


def test_a_run_is_trained_once_and_judged(mixture, tmp_path, capsys):
    run = tmp_path / "study" / "ours-nsgan-s3"
    for _ in range(2):
        mixture.train(tmp_path / "study", 20, "ours", "nsgan", 3)
        assert capsys.readouterr().out == ""
    history = [json.loads(line)["event"] for line in (run / "history.jsonl").read_text().splitlines()]
    assert history.count("start") == history.count("end") == 1
    assert mixture.finished(tmp_path / "study", ("ours", "nsgan")) == {3: run}
    scores = mixture.scores(run)
    assert len(mixture.samples_of(run)[1]) == mixture.EVALUATIONS
    assert scores["modes"] == scores["covers"] == 0
    (run / "status.json").write_text('{"status": "interrupted"}')
    assert mixture.finished(tmp_path / "study", ("ours", "nsgan")) == {}
