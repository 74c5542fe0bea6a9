import torch

from lsgan.data.batches import BatchOrder
from lsgan.data.held_out import sides
from lsgan.streams import stream


def epochs(order, num_batches):
    return torch.cat([order.indices(k) for k in range(num_batches)])


def test_every_image_once_an_epoch_also_across_batches():
    indices = epochs(BatchOrder(num_images=10, batch_size=4, seed=0), 5)  # 20 = two epochs
    assert sorted(indices[:10].tolist()) == list(range(10))
    assert sorted(indices[10:].tolist()) == list(range(10))
    assert indices[:10].tolist() != indices[10:].tolist()


def test_order_depends_on_seed_and_index_alone():
    forwards = BatchOrder(100, 8, seed=1)
    backwards = BatchOrder(100, 8, seed=1)
    expected = [forwards.indices(k) for k in range(30)]
    for k in reversed(range(30)):
        assert torch.equal(backwards.indices(k), expected[k])
    assert not torch.equal(BatchOrder(100, 8, seed=2).indices(0), expected[0])


def test_what_is_held_out_is_in_no_epoch_and_all_else_in_each():
    trained_on = sorted(sides(20, 6).training.tolist())
    indices = epochs(BatchOrder(num_images=20, batch_size=4, seed=0, num_held_out=6), 14)  # 56 = four epochs of 14
    for epoch in indices.view(4, 14):
        assert sorted(epoch.tolist()) == trained_on
    assert not torch.equal(indices[:14], indices[14:28])


def test_without_any_held_out_the_order_is_what_it_always_was():
    indices = epochs(BatchOrder(num_images=10, batch_size=5, seed=7), 4)
    expected = [torch.randperm(10, generator=stream(7, "epoch", epoch)) for epoch in range(2)]
    assert torch.equal(indices, torch.cat(expected))


def test_a_batch_may_be_larger_than_the_data_set():
    indices = BatchOrder(num_images=3, batch_size=8, seed=0).indices(0)
    assert indices.bincount().tolist() in ([3, 3, 2], [3, 2, 3], [2, 3, 3])
