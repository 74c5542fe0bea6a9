import hashlib
import pickle
import resource

import pytest
import torch
from torch.testing import assert_close

from lsgan.errors import LsganError
from lsgan.training.state import DamagedCheckpointError, checksum_path, latest_checkpoint, load_checkpoint


def everything(state):
    return {name: part.state_dict() for name, part in state._parts().items()} | {"step": state.step}


def trained(state):
    for _ in range(2):
        for net, optimizer, size in (
            (state.generator, state.generator_optimizer, 4),
            (state.discriminator, state.discriminator_optimizer, 2),
        ):
            net(torch.randn(3, size)).sum().backward()
            optimizer.step()
        state.generator_ema.update(state.generator, 8, 800)
    state.step = 2
    return state


def test_everything_comes_back_bit_for_bit(make_state, tmp_path):
    state = trained(make_state())
    path = state.save(tmp_path, keep=3)
    assert path.name == "step-000002.pt"
    other = make_state(seed=1)
    assert other.load_latest(tmp_path) == path
    assert_close(everything(other), everything(state), atol=0, rtol=0)
    assert other.step == 2


def test_only_plain_data_is_stored(make_state, tmp_path):
    content = torch.load(trained(make_state()).save(tmp_path, keep=1), weights_only=True)
    assert set(content) == {
        "format_version",
        "step",
        "generator",
        "discriminator",
        "generator_ema",
        "generator_optimizer",
        "discriminator_optimizer",
    }


def test_the_newest_are_kept_and_found_by_number(make_state, tmp_path):
    state = make_state()
    for step in (5, 999_999, 1_000_000):
        state.step = step
        state.save(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["step-1000000.pt", "step-999999.pt"]
    assert len(list(tmp_path.iterdir())) == 4  # each with its checksum
    assert latest_checkpoint(tmp_path).name == "step-1000000.pt"
    assert latest_checkpoint(tmp_path / "nowhere") is None


def test_no_checkpoint(make_state, tmp_path):
    assert make_state().load_latest(tmp_path) is None


def test_a_checksum_as_sha256sum_has_it(make_state, tmp_path):
    path = make_state().save(tmp_path, keep=1)
    expected = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  step-000000.pt\n"
    assert (tmp_path / "step-000000.pt.sha256").read_text() == expected


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(make_state, tmp_path, caplog):
    state = trained(make_state())
    good = state.save(tmp_path, keep=3)
    state.step = 3
    bad = state.save(tmp_path, keep=3)
    flip_a_bit(bad)
    other = make_state(seed=1)
    assert other.load_latest(tmp_path) == good
    assert other.step == 2
    assert "step-000003.pt is damaged, it does not have its checksum; going on from the one before" in caplog.text
    assert not bad.exists()  # it must not count among those that are kept
    assert (tmp_path / "step-000003.pt.damaged").exists()
    flip_a_bit(good)
    with pytest.raises(LsganError, match="holds no sound checkpoint: start another run"):
        make_state().load_latest(tmp_path)


def test_a_checkpoint_without_its_checksum_is_read_all_the_same(make_state, tmp_path):
    state = trained(make_state())
    path = state.save(tmp_path, keep=1)
    (tmp_path / "step-000002.pt.sha256").unlink()
    assert make_state(seed=1).load_latest(tmp_path) == path


def test_a_full_disk_keeps_the_checkpoints_before(make_state, tmp_path):
    state = trained(make_state())
    good = state.save(tmp_path, keep=1)
    state.step = 3
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as good as a full disk
    try:
        with pytest.raises(OSError, match=r"File too large|torch.save failed"):
            state.save(tmp_path, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == [good.name, f"{good.name}.sha256"]
    load_checkpoint(good)


def test_damaged_files_and_other_versions(make_state, tmp_path):
    path = make_state().save(tmp_path, keep=1)
    content = torch.load(path, weights_only=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DamagedCheckpointError, match=r"step-000000.pt is damaged, it does not have its checksum"):
        load_checkpoint(path)
    checksum_path(path).unlink()
    with pytest.raises(DamagedCheckpointError, match=r"is not a readable checkpoint \(.*\)"):
        load_checkpoint(path)
    torch.save({**content, "format_version": 99}, path)
    with pytest.raises(LsganError, match="has checkpoint format 99; this version of lsgan reads 1"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(LsganError, match="is not a readable checkpoint"):
        load_checkpoint(path)


def test_a_crafted_checkpoint_does_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    (tmp_path / "step-000001.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"format_version": 1, "bomb": Bomb()}, tmp_path / "step-000002.pt")
    for path in tmp_path.glob("*.pt"):
        with pytest.raises(LsganError, match="is not a readable checkpoint"):
            load_checkpoint(path)
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_other_networks(make_state, tmp_path):
    make_state(batch_norm=False).save(tmp_path, keep=1)
    with pytest.raises(LsganError, match="does not fit the run's config"):
        make_state().load_latest(tmp_path)
