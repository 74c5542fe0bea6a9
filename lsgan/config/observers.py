"""The observers of a config; their columns are known without torch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsgan.config.components import instantiate, parameters
from lsgan.config.settings import Settings
from lsgan.errors import LsganError

if TYPE_CHECKING:
    from lsgan.observe.observer import Observers


def build_observers(settings: Settings) -> "Observers":
    """What is looked at while training, by name. An observer with a parameter `extractor` gets that of `features`.

    Raises:
        LsganError: as `instantiate`, `best_metric` is no column that any of them writes, or they do not fit together.
    """
    return _built(settings, lambda: instantiate(settings.features, "features"))


def check_observers(settings: Settings) -> None:
    """Raises what `build_observers` would raise, but for the extractor, whose module imports torch."""
    _built(settings, _NotLoaded)


@dataclass(frozen=True)
class _NotLoaded:
    """Stands for an extractor where observers are built to be checked, and look at nothing."""

    name: str = "not loaded"
    dim: int = 1
    digest: str = ""
    rule: str = ""
    classes: int | None = None


def _built(settings: Settings, extractor: Callable[[], Any]) -> "Observers":
    from lsgan.observe.observer import Observers

    observers = {}
    for part, node in settings.observe.items():
        name = f"observe.{part}"
        given = {"extractor": extractor()} if "extractor" in parameters(node, name) else {}
        observers[part] = instantiate(node, name, **given)
    columns = sorted(column for observer in observers.values() for column in observer.columns)
    if settings.best_metric not in (None, *columns):
        raise LsganError(
            f"best_metric={settings.best_metric} is no column of metrics.jsonl: choose one of {', '.join(columns)}"
        )
    return Observers(observers)
