"""What the losses are to be read against, as lines beside them."""

import math

from lsgan.observe.observer import Finding, Observer, View


class Theory(Observer):
    """The values of both losses at equilibrium, and G's if D wins, wherever they are determined and finite.

    It looks whenever the losses are written.
    """

    every = None
    reads = ("loss/discriminator", "loss/generator")
    columns = ("theory/d_loss_at_equilibrium", "theory/g_loss_at_equilibrium", "theory/g_loss_if_d_wins")

    def see(self, view: View) -> Finding:
        reference = view.loss.reference
        values = (
            reference.discriminator_at_equilibrium,
            reference.generator_at_equilibrium,
            reference.generator_if_discriminator_wins,
        )
        lines = zip(self.columns, values, strict=True)
        return Finding({column: value for column, value in lines if value is not None and math.isfinite(value)})
