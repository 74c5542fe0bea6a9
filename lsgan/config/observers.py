"""The observers of a config; their columns are known without torch."""

from typing import TYPE_CHECKING

from lsgan.config.components import instantiate
from lsgan.config.settings import Settings
from lsgan.errors import LsganError

if TYPE_CHECKING:
    from lsgan.observe.observer import Observers


def build_observers(settings: Settings) -> "Observers":
    """What is looked at while training, by name.

    Raises:
        LsganError: as `instantiate`, `best_metric` is no column that any of them writes, or they do not fit together.
    """
    from lsgan.observe.observer import Observers

    observers = {name: instantiate(node, f"observe.{name}") for name, node in settings.observe.items()}
    columns = sorted(column for observer in observers.values() for column in observer.columns)
    if settings.best_metric not in (None, *columns):
        raise LsganError(
            f"best_metric={settings.best_metric} is no column of metrics.jsonl: choose one of {', '.join(columns)}"
        )
    return Observers(observers)
