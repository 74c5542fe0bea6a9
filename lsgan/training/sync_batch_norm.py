"""Batch norm over the samples of all ranks, so that the trained weights do not depend on how many there are.

PyTorch's own SyncBatchNorm works on GPUs only and has no second derivative, which the gradient penalties need.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lsgan.training.exchange import of_all_ranks


def synchronise_batch_norm(network: nn.Module) -> None:
    """Puts a `SyncBatchNorm` with the same parameters and buffers in the place of every batch norm below `network`."""
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            setattr(network, name, SyncBatchNorm(child))
        else:
            synchronise_batch_norm(child)


class SyncBatchNorm(_BatchNorm):
    """Like the batch norm that it replaces, but in training its statistics are those of the global batch.

    It exchanges 2·channels + 1 numbers of each rank in each forward pass and as many in each backward pass, and can be
    differentiated any number of times.
    """

    def __init__(self, replaced: _BatchNorm) -> None:
        super().__init__(
            replaced.num_features, replaced.eps, replaced.momentum, affine=False, track_running_stats=False
        )
        self.affine, self.track_running_stats = replaced.affine, replaced.track_running_stats
        self._parameters, self._buffers = replaced._parameters, replaced._buffers
        self.train(replaced.training)

    def _check_input_dim(self, input: Tensor) -> None:
        pass  # [N, C, ...] with any number of further dimensions

    def forward(self, input: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape."""
        if not self.training:
            return super().forward(input)
        dims, per_channel = [0, *range(2, input.dim())], [1, -1] + [1] * (input.dim() - 2)
        values = input.to(torch.promote_types(input.dtype, torch.float32))  # statistics of bf16 are in float32
        local_mean = values.mean(dims)
        centred = values - local_mean.view(per_channel)
        mean, var = self._statistics(local_mean, centred.square().mean(dims), input.numel() // input.shape[1])
        scale = torch.rsqrt(var + self.eps)
        shift = local_mean - mean
        if self.affine:
            scale = scale * self.weight
        shift = shift * scale
        if self.affine:
            shift = shift + self.bias
        return torch.addcmul(shift.view(per_channel), centred, scale.view(per_channel)).to(input.dtype)

    def _statistics(self, local_mean: Tensor, local_var: Tensor, num: int) -> tuple[Tensor, Tensor]:
        """Mean and biased variance [C] over all ranks from those of `num` values here; updates the running ones.

        The variance is that within the ranks plus that of their means (Chan, Golub, LeVeque, 1979): no difference of
        squares, which would cancel digits where the mean is large.
        """
        channels = len(local_mean)
        rows = of_all_ranks(torch.cat([local_mean, local_var, local_mean.new_full((1,), num)]))
        means, variances, counts = rows.split([channels, channels, 1], dim=1)  # [ranks, C], [ranks, C], [ranks, 1]
        counts = counts.detach()
        total = counts.sum()
        shares = counts / total
        mean = (shares * means).sum(0)
        var = (shares * (variances + (means - mean).square())).sum(0)
        if self.track_running_stats:
            self._track(mean.detach(), var.detach(), total)
        return mean, var

    def _track(self, mean: Tensor, var: Tensor, num: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(var * (num / (num - 1)), share)  # unbiased, as in PyTorch
