"""What an observer is, what it sees, and what comes of it when several look at one step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from lsgan.errors import LsganError

if TYPE_CHECKING:  # the columns of a run are known before torch is loaded
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from lsgan.data.dataset import Dataset
    from lsgan.losses import Loss

Row = Mapping[str, float | None]  # of metrics.jsonl, `step` included; None is a number that JSON does not know


class Seen(NamedTuple):
    """What a step has seen: this rank's part of its last update of D, and G's loss. Tensors without a graph."""

    discriminator_loss: "Tensor"  # scalar, without the penalty
    generator_loss: "Tensor"  # scalar
    penalty: "Tensor"  # scalar
    real_logits: "Tensor"  # [N, 1]
    fake_logits: "Tensor"  # [N, 1]
    real: "Tensor"  # [N, *shape]
    fake: "Tensor"  # [N, *shape]


class JudgedFakes(NamedTuple):
    """What D says of fakes, and what G hears. Tensors without a graph."""

    outputs: "Tensor"  # [N]
    gradient_norms: "Tensor"  # [N]: 2-norm of the gradient of a fake's own term of G's loss with respect to the fake


class View(Protocol):
    """A moment of a training, for one observer. Looking changes nothing in what is trained.

    Whatever is drawn comes from streams of the observer's own, functions of the run's seed, the observer's name, the
    step and the rank. Of several ranks rank 0 has all samples, or each has its part if the observer is `on_all_ranks`:
    together what one would have, and so the number asked for is a multiple of them.
    """

    @property
    def step(self) -> int:
        """G updates so far."""
        ...

    @property
    def is_last(self) -> bool:
        """Whether the run ends with this step, as it was asked to."""
        ...

    @property
    def num_ranks(self) -> int:
        """How many processes train together."""
        ...

    @property
    def images(self) -> int:
        """Real images seen by G updates since this process began to train."""
        ...

    @property
    def seconds(self) -> float:
        """That the training of these images took, without what observers and checkpoints take."""
        ...

    @property
    def seen(self) -> Seen:
        """Of the last step; there is none before the first."""
        ...

    @property
    def row(self) -> Mapping[str, float]:
        """What observers before this one have told of this step, by column."""
        ...

    @property
    def loss(self) -> "Loss":
        """With the targets of either side, and what its numbers are to be read against."""
        ...

    @property
    def dataset(self) -> "Dataset":
        """It draws pictures."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """What the real samples are (`Batches.identity`)."""
        ...

    @property
    def generator(self) -> "nn.Module": ...

    @property
    def discriminator(self) -> "nn.Module":
        """Its parameters, as G's, hold the gradients of their last update."""
        ...

    def fakes(self, num: int, *, average: bool = True) -> "Iterator[Tensor]":
        """`num` fresh samples of G's average in batches [N, *shape], with labels of real samples if it takes any.

        Else of G itself as it would be used now: in evaluation mode, from the same z and labels.
        """
        ...

    def reals(self, num: int | None, *, held_out: bool = False) -> "Iterator[Tensor]":
        """`num` different real samples in batches [N, *shape], as they are in the data, the same in every run.

        Those that training sees, or those that it never does; all of them if `num` is None. Raises as `Batches.reals`.
        """
        ...

    def num_reals(self, held_out: bool = False) -> int | None:
        """How many different ones `reals` can give, to all ranks together; None: as many as one likes."""
        ...

    def judged_reals(self, num: int, *, held_out: bool = False) -> "Tensor":
        """D's outputs [num] on the first of `reals`, as it is now: in evaluation mode, in full precision.

        What is judged at a step is judged once, whoever asks. All of it on the rank that asks, without the others.
        """
        ...

    def judged_fakes(self, num: int) -> JudgedFakes:
        """The same of `num` fresh samples of G itself, in evaluation mode, those of every observer at this step."""
        ...

    def shown_reals(self) -> "Tensor":
        """The first samples of the training [N, *shape], for a picture beside those of G."""
        ...

    def shown_fakes(self) -> "Tensor":
        """Samples of G's average [N, *shape] for a picture, from the same z throughout the run."""
        ...

    def gather(self, values: "Tensor") -> "Tensor":
        """[N / ranks, ...] of each rank -> [N, ...] on every rank, for an observer that is `on_all_ranks`."""
        ...


class Best(NamedTuple):
    """A value for which a checkpoint may be worth keeping."""

    metric: str
    value: float
    mode: str  # what is better: min or max


@dataclass(frozen=True)
class Finding:
    """What an observer has found at a step, or several together.

    Args:
        scalars: by column.
        pictures: uint8 [H, W, 3] by name.
        histograms: the values themselves, float [N], by name.
        warnings: sentences for people, by a flag: one word that stays with the run.
        summary: a few numbers for the console, in one line.
        stop: ends the run after this step is saved.
        best: the checkpoint of this step may be worth keeping.
        labels: what a column's number means, in one line: on which samples, how many; by column.
    """

    scalars: Mapping[str, float] = field(default_factory=dict)
    pictures: "Mapping[str, npt.NDArray[np.uint8]]" = field(default_factory=dict)
    histograms: "Mapping[str, npt.NDArray[np.float32]]" = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    summary: str | None = None
    stop: LsganError | None = None
    best: Best | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return any(getattr(self, part.name) for part in fields(self))

    def __or__(self, other: "Finding") -> "Finding":
        """Both; of two stops or bests the first."""
        return Finding(
            {**self.scalars, **other.scalars},
            {**self.pictures, **other.pictures},
            {**self.histograms, **other.histograms},
            {**self.warnings, **other.warnings},
            "  ".join(filter(None, (self.summary, other.summary))) or None,
            self.stop or other.stop,
            self.best or other.best,
            {**self.labels, **other.labels},
        )


class Observer(ABC):
    """Looks at a training now and then. It may remember what it saw, but a resumed run only has its rows to recall.

    `every`: steps between two looks (the last step of a run is looked at in any case); None for an observer that looks
    whenever one writes what it `reads`.
    """

    every: int | None
    columns: tuple[str, ...] = ()  # of metrics.jsonl, that it writes
    reads: tuple[str, ...] = ()  # columns that it needs; with a pace of its own it looks when they are written, too
    on_demand: ClassVar[bool] = False  # cheap: it also looks off its pace, when an observer that reads its columns does
    on_all_ranks: ClassVar[bool] = False  # else rank 0 alone looks, and the others wait for it as long as it takes

    @abstractmethod
    def see(self, view: View) -> Finding | None:
        """Called after a step. On all ranks, they may differ by `rank_timeout_seconds`, rank 0 by any time."""

    def begin(self, view: View) -> Finding | None:
        """Called before the first step of a run, once."""
        return None

    def recall(self, rows: Iterable[Row], loss: "Loss") -> None:  # noqa: B027  # most have nothing to recall
        """Called at a resume with the rows of the steps before.

        Raises:
            LsganError: the run is not to go on.
        """


# Makes the view of an observer from its name and what was found before it; None on a rank where it does not look.
Look = Callable[[str, Observer, Finding], View | None]


class Observers:
    """Several observers by name, each with its pace; what they find at a step is one finding.

    Raises:
        LsganError: two write one column, a pace is below 1, or one waits for a column that nobody writes.
    """

    def __init__(self, observers: Mapping[str, Observer]) -> None:
        writers = _writers(observers)
        self.columns = tuple(sorted(writers))
        self._observers = dict(observers)
        self._writers = {
            name: {writers[column] for column in observer.reads if column in writers}
            for name, observer in observers.items()
        }
        for name, observer in observers.items():
            if observer.every is not None:
                self._check_pace(name, observer)
        try:
            self._observers = {name: observers[name] for name in TopologicalSorter(self._writers).static_order()}
        except CycleError as error:
            raise LsganError(f"observers read each other's columns in a circle: {', '.join(error.args[1])}") from error

    def due(self, step: int, is_last: bool = False) -> list[str]:
        """Who looks at this step, in order."""
        own = {name for name in self._observers if self._is_due(name, step, is_last)}
        asked = own.union(*(self._writers[name] for name in own))
        return [
            name
            for name, observer in self._observers.items()
            if name in asked or (observer.every is None and self._writers[name] & asked)
        ]

    def see(self, look: Look, due: Iterable[str]) -> Finding:
        """What those of the names `due` find at this step."""
        return self._collect(look, due, lambda observer, view: observer.see(view))

    def begin(self, look: Look) -> Finding:
        """What all of them find before the first step."""
        return self._collect(look, self._observers, lambda observer, view: observer.begin(view))

    def recall(self, rows: Iterable[Row], loss: "Loss") -> None:
        """Shows all of them the earlier rows of a resumed run. Raises LsganError if it is not to go on."""
        rows = list(rows)
        for observer in self._observers.values():
            observer.recall(rows, loss)

    def _collect(self, look: Look, names: Iterable[str], ask: Callable[[Observer, View], Finding | None]) -> Finding:
        found = Finding()
        for name in names:
            observer = self._observers[name]
            view = look(name, observer, found)
            finding = None if view is None else ask(observer, view)
            if finding is not None:
                unknown = finding.scalars.keys() - set(observer.columns)
                if unknown:
                    told = ", ".join(sorted(unknown))
                    raise LsganError(f"observe.{name} writes {told}, but does not name it among its columns: add it")
                found |= finding
        return found

    def _is_due(self, name: str, step: int, is_last: bool) -> bool:
        pace = self._pace(name)
        return pace is not None and (is_last or step % pace == 0)

    def _pace(self, name: str) -> int | None:
        """Its own, or that of the slowest writer of what it reads who is not there on demand; None if it has none."""
        own = self._observers[name].every
        writers = [writer for writer in self._writers[name] if not self._observers[writer].on_demand]
        paces = [pace for writer in writers if (pace := self._pace(writer)) is not None]
        return None if own is None else max(own, *paces, 1)

    def _check_pace(self, name: str, observer: Observer) -> None:
        every: Any = observer.every
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise LsganError(f"observe.{name}.every={every} must be a number of steps, at least 1")
        for column in observer.reads:
            if column not in self.columns:
                choices = ", ".join(self.columns) or "none: there are no observers that write any"
                raise LsganError(f"observe.{name}: {column} is no column of metrics.jsonl: choose one of {choices}")


def _writers(observers: Mapping[str, Observer]) -> dict[str, str]:
    """The observer of each column."""
    writers: dict[str, str] = {}
    for name, observer in observers.items():
        for column in observer.columns:
            if column in writers:
                raise LsganError(
                    f"observe.{name} and observe.{writers[column]} both write the column {column}: take one of them "
                    f"out (~observe.{name})"
                )
            writers[column] = name
    return writers
