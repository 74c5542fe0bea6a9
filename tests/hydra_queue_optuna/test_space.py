import re

import pytest
from hydra.errors import HydraException

optuna = pytest.importorskip("optuna")

from hydra_plugins.hydra_queue_optuna._space import Choice, Number, space  # noqa: E402


@pytest.fixture
def spaced(loader):
    return lambda params=None, *typed: space(params or {}, typed, loader, lambda o: loader.load_sweep_config(None, o))


def suggested(space, num=20):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return [space.suggest(study.ask()) for _ in range(num)]


@pytest.mark.parametrize(
    ("text", "parameter"),
    [
        ("1,2.5,null", Choice("x", ("1", "2.5", "null"))),
        ("choice(1,1,2)", Choice("x", ("1", "2"))),
        ("'a b','c=d'", Choice("x", ("'a b'", "'c=d'"))),
        ("range(32,129,32)", Number("x", 32, 128, 32)),
        ("range(3)", Number("x", 0, 2, 1)),
        ("range(0,1,0.25)", Number("x", 0.0, 0.75, 0.25)),
        ("range(5,1,-2)", Number("x", 3, 5, 2)),
        ("tag(log,range(1,100))", Number("x", 1, 99, None, log=True)),
        ("interval(-2, 0)", Number("x", -2.0, 0.0)),
        ("int(interval(1,5))", Number("x", 1, 5)),
        ("tag(log, interval(1e-5, 1e-2))", Number("x", 1e-5, 1e-2, None, log=True)),
    ],
)
def test_hydras_grammar_is_understood_in_yaml_and_typed(spaced, text, parameter):
    for found in (spaced({"x": text}), spaced(None, f"x={text}"), spaced({"x": "7"}, f"x={text}")):
        assert [*found.groups, *found.values] == [parameter]
        assert found.fixed == []


def test_what_is_typed_wins_whatever_sign_it_has(spaced):
    found = spaced({"x": "interval(0,1)", "n": "1,2", "must": 3}, "++x=0.5", "must=5")
    assert found.told == {"n": "1,2"}
    assert found.fixed == ["++x=0.5", "must=5"]


def test_a_glob_is_the_choices_of_the_group(spaced):
    assert spaced(None, "loss=glob(*)").groups == [Choice("loss", ("a", "b"))]


def test_yaml_may_be_nested(spaced):
    assert spaced({"loss": {"weight": "1,2"}}).told == {"loss.weight": "1,2"}


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("interval(-2,0)", -2, 0), ("tag(log,interval(1e-5,1e-2))", 1e-5, 1e-2), ("range(0,1,0.1)", 0, 0.9)],
)
def test_numbers_are_within_their_bounds_and_short_enough_to_type(spaced, text, low, high):
    told = [chosen[0] for chosen in suggested(spaced(None, f"x={text}"))]
    assert len(set(told)) > 5
    for override in told:
        assert re.fullmatch(r"x=-?\d[\d.e-]{0,11}", override)
        assert low <= float(override[2:]) <= high


def test_a_key_that_the_chosen_group_does_not_have_is_no_part_of_the_trial(spaced):
    found = spaced(None, "loss=a,b", "loss.weight=interval(0,1)", "loss.scale=1,2", "must=interval(0,1)", "+new=1,2")
    found.check()
    kinds = {tuple(override.partition("=")[0] for override in chosen) for chosen in suggested(found)}
    assert kinds == {("loss", "loss.weight", "must", "+new"), ("loss", "loss.scale", "must", "+new")}


def test_what_is_fixed_may_suit_some_choices_alone(spaced):
    found = spaced(None, "loss=a,b", "loss.weight=2")
    assert found.check() == [["loss=a"]]
    with pytest.raises(HydraException, match=r"loss\.weight"):
        suggested(found)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["x=1"], "nothing to search: give a key several values"),
        (["x=interval(1,1)"], "write the smaller number first"),
        (["x=interval(2,1)"], "write the smaller number first"),
        (["x=range(3,3)"], "no number in this range"),
        (["x=tag(log,interval(0,1))"], "on a logarithmic scale all numbers are above 0"),
        (["x=tag(log,range(1,100,3))"], "a logarithmic range has no step"),
        (["x=tag(lgo,interval(1,2))"], "the only tag of a search is log"),
        (["x=tag(log,choice(1,2))"], "the only tag of a search is log"),
        (["y=1,2"], "Could not override 'y'"),
        (["loss=a,b", "loss.wait=1,2"], r"Could not override 'loss\.wait'"),
        (["loss=a,c"], "Could not find 'loss/c'"),
        (["loss=a,b", "y=1"], "Could not override 'y'"),
    ],
)
def test_what_cannot_be_searched_is_a_sentence(spaced, typed, message):
    with pytest.raises(HydraException, match=message):
        spaced(None, *typed).check()
