"""What observers see of a training, and how long it has taken without them."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from lsgan.data.batches import Batch
from lsgan.data.dataset import Dataset
from lsgan.errors import LsganError
from lsgan.losses import Loss
from lsgan.observe.observer import Finding, JudgedFakes, Look, Observer, Seen, View
from lsgan.streams import stream
from lsgan.training.gan import Gan
from lsgan.training.opinions import Opinions, evaluating
from lsgan.training.pace import Pace


class Clock:
    """How much a training has done since it began in this process, and in what time, pauses left out."""

    def __init__(self, gan: Gan) -> None:
        self._gan, self._first_step = gan, gan.state.step
        self.seconds, self._since = 0.0, time.perf_counter()
        self._tick, self._pace = self._since, Pace(gan.machine)

    @property
    def images(self) -> int:
        """Real images seen by G updates."""
        return (self._gan.state.step - self._first_step) * self._gan.recipe.batch_size

    def tick(self) -> None:
        """Called after each step."""
        now = time.perf_counter()
        self._pace.note(now - self._tick)
        self._tick = now

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The body's time does not count; what the device was asked for before does, and is done when it begins."""
        self._gan.machine.synchronise()
        self.seconds += time.perf_counter() - self._since
        try:
            yield
        finally:
            self._since = self._tick = time.perf_counter()


def looking(gan: Gan, clock: Clock, seen: Seen | None = None, *, is_last: bool = False) -> Look:
    """What makes the views of this moment; `seen` is what the last step has seen, `is_last` whether it ends the run."""
    opinions = Opinions(gan)

    def look(name: str, observer: Observer, found: Finding) -> View | None:
        if not (observer.on_all_ranks or gan.machine.world.is_main):
            return None
        moment = Moment(gan, name, shared=observer.on_all_ranks, opinions=opinions)
        moment.row, moment.last = found.scalars, seen
        moment.images, moment.seconds, moment.is_last = clock.images, clock.seconds, is_last
        return moment

    return look


class Moment:
    """A `View` of a GAN for one observer.

    Args:
        gan: at some step.
        name: the observer's.
        shared: each rank looks at its part; else this rank looks at everything.
        opinions: D's at this step, for all observers; its own if None.
    """

    def __init__(self, gan: Gan, name: str, *, shared: bool, opinions: Opinions | None = None) -> None:
        self._gan, self._name, self._shared = gan, name, shared
        self._opinions = opinions or Opinions(gan)
        self.row: Mapping[str, float] = {}
        self.last: Seen | None = None
        self.images, self.seconds, self.is_last = 0, 0.0, False
        gan.machine.seed_networks(gan.recipe.seed, f"networks, seen by {name}", gan.state.step)

    @property
    def step(self) -> int:
        return self._gan.state.step

    @property
    def seen(self) -> Seen:
        assert self.last is not None  # no step has been taken yet
        return self.last

    @property
    def num_ranks(self) -> int:
        return self._gan.machine.world.size

    @property
    def loss(self) -> Loss:
        return self._gan.recipe.loss

    @property
    def data(self) -> Mapping[str, Any]:
        return self._gan.data.batches.identity

    @property
    def dataset(self) -> Dataset:
        return self._gan.data.dataset

    @property
    def generator(self) -> nn.Module:
        return self._gan.state.generator

    @property
    def discriminator(self) -> nn.Module:
        return self._gan.state.discriminator

    def gather(self, values: Tensor) -> Tensor:
        return self._gan.machine.gather(values)

    def fakes(self, num: int, *, average: bool = True) -> Iterator[Tensor]:
        recipe = self._gan.recipe
        generator = stream(recipe.seed, f"fakes, seen by {self._name}", self.step)
        for index, part in self._batches(num):
            z = recipe.latent.sample(recipe.batch_size, generator)[part]
            labels = self._batch(index, part).labels if self._gan.data.conditional else None
            yield self._generate(z, labels, average=average)

    def reals(self, num: int | None, *, held_out: bool = False) -> Iterator[Tensor]:
        batches = self._gan.data.batches
        self._expect_shared(batches.num_reals(held_out) if num is None else num)
        for samples, _ in batches.reals(num, self._gan.machine.device, held_out=held_out):
            yield samples[self._part(len(samples))]

    def num_reals(self, held_out: bool = False) -> int | None:
        return self._gan.data.batches.num_reals(held_out)

    def judged_reals(self, num: int, *, held_out: bool = False) -> Tensor:
        return self._opinions.of_reals(num, held_out=held_out)

    def judged_fakes(self, num: int) -> JudgedFakes:
        return self._opinions.of_fakes(num)

    def shown_reals(self) -> Tensor:
        num, batch_size = self.dataset.samples_shown, self._gan.recipe.batch_size
        firsts = [slice(min(batch_size, num - start)) for start in range(0, num, batch_size)]
        return torch.cat([self._batch(index, first).samples for index, first in enumerate(firsts)])

    def shown_fakes(self) -> Tensor:
        recipe, labels = self._gan.recipe, self.dataset.labels_shown if self._gan.data.conditional else None
        num = self.dataset.samples_shown if labels is None else len(labels)
        return self._generate(recipe.latent.sample(num, stream(recipe.seed, "samples")), labels)

    def _batches(self, num: int) -> Iterator[tuple[int, slice]]:
        """Which batches `num` samples come from, and which part of each is this rank's: together what one would see."""
        self._expect_shared(num)
        batch_size = self._gan.recipe.batch_size
        for index, start in enumerate(range(0, num, batch_size)):
            yield index, self._part(min(batch_size, num - start))

    def _expect_shared(self, num: int | None) -> None:
        size = self._gan.machine.world.size
        if self._shared and num is not None and num % size:
            raise LsganError(f"{size} ranks cannot share {num} samples: ask for a multiple of them")

    def _part(self, num: int) -> slice:
        """This rank's of the first `num` samples of a batch."""
        return self._gan.machine.part(num) if self._shared else slice(num)

    def _batch(self, index: int, part: slice) -> Batch:
        return self._gan.data.batches.batch(index, self._gan.machine.device, part)

    @torch.no_grad()
    def _generate(self, z: Tensor, labels: Tensor | None, *, average: bool = True) -> Tensor:
        """Samples of G's average, or of G, in full precision."""
        state, device = self._gan.state, self._gan.machine.device
        inputs = [part.to(device) for part in ((z,) if labels is None else (z, labels))]
        if average:
            return state.generator_ema.module(*inputs)
        with evaluating(state.generator):
            return state.generator.forward(*inputs)  # not __call__, which may be compiled
