"""What a search chooses from, in Hydra's own grammar of sweeps."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

if TYPE_CHECKING:
    from optuna.trial import Trial

_LOG = "log"  # the tag of an interval or range
_ABSENT = object()


@dataclass(frozen=True)
class Choice:
    """One of several values, as they are written in an override: `a,b`, `choice(a,b)`, `glob(a*)`."""

    key: str
    texts: tuple[str, ...]

    def suggest(self, trial: "Trial") -> str:
        return trial.suggest_categorical(self.key, self.texts)

    @property
    def examples(self) -> Sequence[str]:
        return self.texts

    def __str__(self) -> str:
        return ",".join(self.texts)


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`, both included: `interval(low,high)`, `range(low,stop,step)`; whole if both are."""

    key: str
    low: int | float
    high: int | float
    step: int | float | None = None
    log: bool = False

    def suggest(self, trial: "Trial") -> str:
        """Six digits, which people can read and type, say enough of a hyperparameter."""
        if self.is_whole:
            return str(
                trial.suggest_int(self.key, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
            )
        return f"{trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log):.6g}"

    @property
    def examples(self) -> Sequence[str]:
        middle = (self.low + self.high) / 2
        return [str(round(middle)) if self.is_whole else f"{middle:.6g}"]

    @property
    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __str__(self) -> str:
        steps = "" if self.step is None else f" in steps of {self.step}"
        return f"{self.low} to {self.high}{steps}{', log' if self.log else ''}"


@dataclass(frozen=True)
class Space:
    """What is searched: choices of groups first, then the values that the configs they make have.

    Args:
        groups: choices of config groups.
        values: of keys.
        fixed: overrides that all trials share.
        compose: the config that overrides make; raises HydraException.
    """

    groups: Sequence[Choice]
    values: Sequence[Choice | Number]
    fixed: Sequence[str]
    compose: Callable[[tuple[str, ...]], DictConfig]

    @property
    def told(self) -> dict[str, str]:
        """Key -> what it is chosen from."""
        return {parameter.key: str(parameter) for parameter in (*self.groups, *self.values)}

    def suggest(self, trial: "Trial") -> list[str]:
        """Overrides of a trial; what it has been given before stays as it is.

        A key that the chosen groups do not have, `loss.a` with `loss=nsgan`, is no part of it.

        Raises:
            HydraException: the choices do not go with what is fixed.
        """
        chosen = [f"{group.key}={group.suggest(trial)}" for group in self.groups]
        config = self.compose((*self.fixed, *chosen))
        return chosen + [f"{value.key}={value.suggest(trial)}" for value in self.values if _fits(value.key, config)]

    def check(self) -> list[list[str]]:
        """Overrides with which each choice is met once, each number being in the middle.

        Raises:
            HydraException: a choice is not there, a key is one that no choice has, or nothing goes with what is fixed.
        """
        found, strangers, error = [], {value.key for value in self.values}, None
        for look in self._looks():
            chosen = [f"{group.key}={look[group.key]}" for group in self.groups]
            try:
                config = self.compose((*self.fixed, *chosen))
            except MissingConfigException:  # no such choice
                raise
            except HydraException as one:
                error = error or one
                continue
            fitting = [value.key for value in self.values if _fits(value.key, config)]
            strangers -= set(fitting)
            found.append(chosen + [f"{key}={look[key]}" for key in fitting])
        if not found:
            assert error is not None
            raise error
        if strangers:
            self.compose((*self.fixed, *(f"{key}=0" for key in strangers)))  # Hydra says so in its own words
            raise HydraException(f"{', '.join(strangers)}: there is no such key")
        return found

    def _looks(self) -> Iterator[dict[str, str]]:
        """The first example of each parameter, and then each of the others once, by key."""
        parameters = (*self.groups, *self.values)
        first = {parameter.key: parameter.examples[0] for parameter in parameters}
        yield first
        for parameter in parameters:
            yield from ({**first, parameter.key: text} for text in parameter.examples[1:])


def space(
    params: Mapping[str, Any],
    typed: Sequence[str],
    loader: ConfigLoader,
    compose: Callable[[tuple[str, ...]], DictConfig],
) -> Space:
    """From YAML and the command line, which wins.

    Raises:
        HydraException: there is nothing to search, or something cannot be searched.
    """
    lines = [f"{key}={_text(value)}" for key, value in _flat(params)]
    parsed = OverridesParser.create(config_loader=loader).parse_overrides([*lines, *typed])
    last = {override.key_or_group: override for override in parsed}
    searched = [_parameter(override) for override in last.values() if override.is_sweep_override()]
    if not searched:
        raise HydraException(
            "nothing to search: give a key several values (loss=lsgan_b1c0a-1,nsgan) or an interval "
            "('optimizer.lr=tag(log,interval(1e-5,1e-2))'), here or in YAML under hydra.sweeper.params"
        )
    fixed = [override.input_line or "" for override in last.values() if not override.is_sweep_override()]
    groups = [one for one in searched if isinstance(one, Choice) and loader.get_group_options(_bare(one.key))]
    return Space(groups, [one for one in searched if one not in groups], fixed, compose)


def _parameter(override: Override) -> Choice | Number:
    key, value = override.get_key_element(), override.value()
    tags = getattr(value, "tags", None) or set()
    if tags - {_LOG} or (tags and override.is_choice_sweep()):
        raise HydraException(f"{override.input_line}: the only tag of a search is log, of an interval or a range")
    if isinstance(value, IntervalSweep):
        assert value.start is not None
        assert value.end is not None
        number = Number(key, value.start, value.end, None, _LOG in tags)
    elif isinstance(value, RangeSweep):
        number = _range(override, value)
    else:
        return Choice(key, tuple(dict.fromkeys(override.sweep_string_iterator())))
    if number.low > number.high or (isinstance(value, IntervalSweep) and number.low == number.high):
        raise HydraException(f"{override.input_line}: write the smaller number first, and a larger one behind it")
    if number.log and number.low <= 0:
        raise HydraException(f"{override.input_line}: on a logarithmic scale all numbers are above 0")
    return number


def _range(override: Override, value: RangeSweep) -> Number:
    numbers, step = sorted(value.range()), abs(value.step)
    if not numbers:
        raise HydraException(f"{override.input_line}: there is no number in this range")
    if _LOG not in value.tags:
        return Number(override.get_key_element(), numbers[0], numbers[-1], step)
    if step != 1 or not isinstance(numbers[0], int):
        raise HydraException(f"{override.input_line}: a logarithmic range has no step, or write interval(…)")
    return Number(override.get_key_element(), numbers[0], numbers[-1], None, log=True)


def _fits(key: str, config: DictConfig) -> bool:
    """Whether a config has the key, or gets it."""
    if key.startswith("+"):
        return True
    try:
        return OmegaConf.select(config, key, default=_ABSENT, throw_on_missing=True) is not _ABSENT
    except OmegaConfBaseException:  # it is there, without a value
        return True


def _flat(params: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _text(value: Any) -> str:
    return "null" if value is None else str(value)


def _bare(key: str) -> str:
    return key.lstrip("+").partition("@")[0]
