import errno
import hashlib
import json
import os
import pickle
import resource
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from lsgan.errors import LsganError
from lsgan.observe.observer import Best
from lsgan.training import checkpoints as module
from lsgan.training.checkpoints import (
    Checkpoints,
    DamagedCheckpointError,
    NoSoundCheckpointError,
    checksum_path,
    latest_checkpoint,
    load_checkpoint,
)


def save(state, folder, keep=3, best=None):
    Checkpoints(folder, 1, keep).after_step(state, True, best)
    return folder / f"step-{state.step:06d}.pt"


def load_latest(state, folder):
    return Checkpoints(folder, 1, 1).load_latest(state)


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
    path = save(state, tmp_path, 3)
    assert path.name == "step-000002.pt"
    other = make_state(seed=1)
    assert load_latest(other, tmp_path).path == path
    assert_close(other.state_dict(), state.state_dict(), atol=0, rtol=0)
    assert other.step == 2


def test_only_plain_data_is_stored(make_state, tmp_path):
    content = torch.load(save(trained(make_state()), tmp_path, 1), weights_only=True)
    assert {name for name in content if name != "parts"} == {"format_version", "step", "identity", "best"}
    assert set(content["parts"]) == {
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
        save(state, tmp_path, 2)
    assert sorted(path.name for path in tmp_path.glob("*.pt")) == ["step-1000000.pt", "step-999999.pt"]
    assert len(list(tmp_path.iterdir())) == 4  # each with its checksum
    assert latest_checkpoint(tmp_path).name == "step-1000000.pt"
    assert latest_checkpoint(tmp_path / "nowhere") is None


def test_no_checkpoint(make_state, tmp_path):
    assert load_latest(make_state(), tmp_path) is None


def test_a_checksum_as_sha256sum_has_it(make_state, tmp_path):
    path = save(make_state(), tmp_path, 1)
    expected = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  step-000000.pt\n"
    assert (tmp_path / "step-000000.pt.sha256").read_text() == expected


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_gives_way_to_the_one_before(make_state, tmp_path, caplog):
    state = trained(make_state())
    good = save(state, tmp_path, 3)
    state.step = 3
    bad = save(state, tmp_path, 3)
    flip_a_bit(bad)
    other = make_state(seed=1)
    assert load_latest(other, tmp_path).path == good
    assert other.step == 2
    assert "step-000003.pt is damaged, it does not have its checksum; going on from the one before" in caplog.text
    assert not bad.exists()  # it must not count among those that are kept
    assert (tmp_path / "step-000003.pt.damaged").exists()
    flip_a_bit(good)
    with pytest.raises(LsganError, match="holds no sound checkpoint: start another run"):
        load_latest(make_state(), tmp_path)


def test_where_none_is_sound_nothing_is_changed(make_state, tmp_path, caplog):
    state = trained(make_state())
    for step in (2, 3):
        state.step = step
        flip_a_bit(save(state, tmp_path, 3))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for _ in range(2):
        with pytest.raises(NoSoundCheckpointError):
            load_latest(make_state(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "going on" not in caplog.text


@contextmanager
def as_nobody():
    """Root may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("what", [".", "step-000002.pt"])
def test_what_may_not_be_read_is_not_taken_for_lost(make_state, what):
    with tempfile.TemporaryDirectory() as place:  # pytest's folders are closed to others
        folder = Path(place) / "checkpoints"
        folder.mkdir()
        Path(place).chmod(0o755)
        path = save(trained(make_state()), folder)
        (folder / what).chmod(0)
        with as_nobody(), pytest.raises(LsganError, match=r"cannot be read \(Permission denied\): mend that") as told:
            load_latest(make_state(), folder)
        assert str(folder / what) in str(told.value)
        (folder / what).chmod(0o755)
        assert load_latest(make_state(), folder).path == path


@pytest.mark.parametrize("content", [b"", b"\0" * 99, b"\xff\xfe", None])
@pytest.mark.parametrize("name", ["step-000002.pt.sha256", "best.json", "best.pt", "best.pt.sha256", "step-000001.pt"])
def test_a_spoilt_small_file_stops_nothing(make_state, tmp_path, name, content):
    """None: a folder lies in its place."""
    state = trained(make_state())
    save(state, tmp_path, best=Best("fid", 5.0, "min"))
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir() if content is None else (tmp_path / name).write_bytes(content)
    other, saver = make_state(seed=1), Checkpoints(tmp_path, 1, 1)
    assert saver.load_latest(other).path.name == "step-000002.pt"
    other.step = 3
    saver.after_step(other, due=True)
    saver.finish(other)
    assert steps(tmp_path)[-1] == "step-000003.pt"


def test_a_checkpoint_without_its_checksum_is_read_all_the_same(make_state, tmp_path):
    state = trained(make_state())
    path = save(state, tmp_path, 1)
    (tmp_path / "step-000002.pt.sha256").unlink()
    assert load_latest(make_state(seed=1), tmp_path).path == path


def test_a_full_disk_keeps_the_checkpoints_before(make_state, tmp_path):
    state = trained(make_state())
    good = save(state, tmp_path, 1)
    state.step = 3
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as good as a full disk
    try:
        with pytest.raises(OSError, match=r"File too large|torch.save failed"):
            Checkpoints(tmp_path, 1, 1)._save(state, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == [good.name, f"{good.name}.sha256"]
    load_checkpoint(good)


def test_damaged_files_and_other_versions(make_state, tmp_path):
    path = save(make_state(), tmp_path, 1)
    content = torch.load(path, weights_only=True)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DamagedCheckpointError, match=r"step-000000.pt is damaged, it does not have its checksum"):
        load_checkpoint(path)
    checksum_path(path).unlink()
    with pytest.raises(DamagedCheckpointError, match=r"is not a readable checkpoint \(.*\)"):
        load_checkpoint(path)
    torch.save({**content, "format_version": 99}, path)
    with pytest.raises(LsganError, match="has checkpoint format 99; this version of lsgan reads 2"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(LsganError, match="is not a readable checkpoint"):
        load_checkpoint(path)


def test_a_crafted_checkpoint_does_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    (tmp_path / "step-000001.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"format_version": 2, "bomb": Bomb()}, tmp_path / "step-000002.pt")
    for path in tmp_path.glob("*.pt"):
        with pytest.raises(LsganError, match="is not a readable checkpoint") as caught:
            load_checkpoint(path)
        assert str(caught.value) == (  # not PyTorch's advice to run what is in there
            f"{path} is not a readable checkpoint (it holds something else than tensors and plain values, and nothing "
            "else is loaded)"
        )
    assert not (tmp_path / "exploded").exists()


def test_a_checkpoint_of_other_networks(make_state, tmp_path):
    save(make_state(batch_norm=False), tmp_path, 1)
    with pytest.raises(LsganError, match="does not fit the run's config"):
        load_latest(make_state(), tmp_path)


# When they are written


@contextmanager
def full_disk():
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def steps(folder):
    return sorted(path.name for path in folder.glob("step-*.pt"))


def test_a_full_disk_does_not_stop_the_training(make_state, tmp_path, caplog, monkeypatch):
    state, saver = make_state(), Checkpoints(tmp_path, 100, 3)
    saver.after_step(state, due=True)
    state.step = 1
    with full_disk():
        saver.after_step(state, due=True)
        assert "step 1: the checkpoint could not be written (" in caplog.text
        assert "the ones before are kept, training goes on" in caplog.text
        state.step = 2
        saver.after_step(state, due=False)  # too early to try again
        assert caplog.text.count("could not be written") == 1
        monkeypatch.setattr(module.time, "monotonic", lambda: float("inf"))
        saver.after_step(state, due=False)
        assert caplog.text.count("could not be written") == 2
    assert steps(tmp_path) == ["step-000000.pt"]
    state.step = 3
    saver.after_step(state, due=False)
    assert steps(tmp_path) == ["step-000000.pt", "step-000003.pt"]
    state.step = 4
    saver.after_step(state, due=False)
    saver.finish(state)
    assert steps(tmp_path) == ["step-000000.pt", "step-000003.pt"]  # nothing is due any more


def test_a_last_checkpoint_that_cannot_be_written_is_an_error(make_state, tmp_path):
    state, saver = make_state(), Checkpoints(tmp_path, 100, 3)
    with full_disk():
        saver.after_step(state, due=True)
        with pytest.raises(LsganError, match=r"the last checkpoint could not be written to .*: make room there and"):
            saver.finish(state)
    saver.finish(state)
    assert steps(tmp_path) == ["step-000000.pt"]


def test_what_a_checkpoint_is_wrapped_in_may_refuse_it(make_state, tmp_path):
    """Rows that the disk does not take: a checkpoint is never ahead of them."""
    told = []

    @contextmanager
    def around(step):
        told.append(step)
        if step == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        yield
        told.append("written")

    state, saver = make_state(), Checkpoints(tmp_path, 1, 3, None, around)
    for step in (1, 2):
        state.step = step
        saver.after_step(state, due=True)
    assert told == [1, 2, "written"]
    assert steps(tmp_path) == ["step-000002.pt"]


# The best


def best(folder):
    content = load_checkpoint(folder / "best.pt")
    assert content["best"]["metric"] in ("fid", "kid")
    return content["step"], content["best"]["value"]


@pytest.mark.parametrize(("mode", "expected"), [("min", [1, 2, 2, 4]), ("max", [1, 1, 3, 3])])
def test_the_best_is_kept_when_it_is_not_new_any_more(make_state, tmp_path, mode, expected):
    state, checkpoints, values, seen = make_state(), Checkpoints(tmp_path, 1, 1), [5.0, 3.0, 7.0, 2.0], []
    for step, value in enumerate(values, start=1):
        state.step = step
        checkpoints.after_step(state, False, Best("fid", value, mode))
        seen.append(best(tmp_path))
    assert seen == [(step, values[step - 1]) for step in expected]
    assert steps(tmp_path) == ["step-000004.pt"]
    assert {path.name for path in tmp_path.iterdir()} == {
        "step-000004.pt", "step-000004.pt.sha256", "best.pt", "best.pt.sha256",
    }  # fmt: skip


def test_a_best_off_the_pace_of_checkpoints_is_saved_then(make_state, tmp_path):
    state, checkpoints = make_state(), Checkpoints(tmp_path, 100, 3)
    for step, value in ((7, 3.0), (8, 4.0), (9, 2.0)):
        state.step = step
        checkpoints.after_step(state, False, Best("fid", value, "min"))
    assert steps(tmp_path) == ["step-000007.pt", "step-000009.pt"]
    assert best(tmp_path) == (9, 2.0)


def test_what_is_no_number_is_never_the_best(make_state, tmp_path):
    state, checkpoints = make_state(), Checkpoints(tmp_path, 1, 1)
    checkpoints.after_step(state, True, Best("fid", 5.0, "min"))
    for step, value in enumerate([Best("fid", float("nan"), "min"), None], start=1):
        state.step = step
        checkpoints.after_step(state, True, value)
    assert best(tmp_path) == (0, 5.0)


def test_the_best_after_a_kill_is_that_of_an_undisturbed_run(make_state, tmp_path):
    """Killed after step 3, resumed from step 1: steps 2 and 3 come again, with the same values."""
    values = {1: 5.0, 2: 3.0, 3: 4.0, 4: 3.5}
    state = make_state()
    for step in (1, 2, 3, 2, 3, 4):
        state.step = step
        save(state, tmp_path, 1, Best("fid", values[step], "min"))
    assert best(tmp_path) == (2, 3.0)


def test_a_best_that_lies_ahead_belongs_to_another_course(make_state, tmp_path):
    """Step 3 was the best, but its checkpoint was damaged and the run went on from step 1 with other values."""
    state = make_state()
    for step, value in ((1, 5.0), (3, 2.0), (2, 3.0), (3, 4.0)):
        if step == 2:
            (tmp_path / "step-000003.pt").rename(tmp_path / "step-000003.pt.damaged")
        state.step = step
        save(state, tmp_path, 1, Best("fid", value, "min"))
    assert best(tmp_path) == (2, 3.0)


def test_another_metric_starts_anew(make_state, tmp_path):
    state = make_state()
    save(state, tmp_path, 1, Best("fid", 1.0, "min"))
    state.step = 1
    save(state, tmp_path, 1, Best("kid", 2.0, "min"))
    assert best(tmp_path) == (1, 2.0)


# What crashes and older versions leave behind


@pytest.mark.parametrize("content", ["", "\0" * 40, "no checksum", "abc  step-000002.pt\n"])
def test_a_checksum_that_is_none_counts_as_none(make_state, tmp_path, caplog, content):
    path = save(trained(make_state()), tmp_path, 1)
    checksum_path(path).write_text(content)
    assert load_latest(make_state(seed=1), tmp_path).path == path
    assert "step-000002.pt.sha256" in caplog.text
    assert "going on without it" in caplog.text


def test_a_kill_between_a_checkpoint_and_its_checksum_costs_the_checksum_alone(make_state, tmp_path, monkeypatch):
    """Written over one of the same name, too, whose checksum would be wrong."""
    path = save(trained(make_state()), tmp_path, 1)
    other = trained(make_state(seed=7))

    def killed(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_atomically", killed)
    with pytest.raises(KeyboardInterrupt):
        save(other, tmp_path, 1)
    again = make_state()
    assert load_latest(again, tmp_path).path == path
    assert_close(again.state_dict(), other.state_dict(), atol=0, rtol=0)


@pytest.mark.parametrize("content", [b"", b"half of a checkpoint"])
def test_a_best_that_cannot_be_read_gives_way(make_state, tmp_path, caplog, content):
    state = make_state()
    save(state, tmp_path, 1, Best("fid", 1.0, "min"))
    (tmp_path / "best.pt").unlink()
    (tmp_path / "best.pt").write_bytes(content)
    state.step = 1
    save(state, tmp_path, 1, Best("fid", 2.0, "min"))
    assert best(tmp_path) == (1, 2.0)
    assert "the next one is the best so far" in caplog.text


OLD = Path(__file__).parents[1] / "fixtures" / "runs-0.1" / "digits" / "digits" / "checkpoints"


def test_a_checkpoint_of_format_1_is_read_in_todays(tmp_path):
    content, old = load_checkpoint(OLD / "step-000004.pt"), torch.load(OLD / "step-000004.pt", weights_only=True)
    assert (content["format_version"], content["step"], content["identity"], content["best"]) == (2, 4, {}, None)
    assert content["parts"].keys() == old.keys() - {"format_version", "step"}
    assert_close(content["parts"]["generator"], old["generator"], atol=0, rtol=0)


@pytest.mark.parametrize(("value", "expected"), [(1e9, 2), (-1e9, 5)])
def test_best_json_of_version_0_1_still_counts(make_state, tmp_path, value, expected):
    """The best so far is at step 2, with a value that old checkpoints tell in a file of its own."""
    told = json.loads((OLD / "best.json").read_text())
    for name in ("best.pt", "best.json"):
        shutil.copy(OLD / name, tmp_path)
    state = make_state()
    state.step = 5
    save(state, tmp_path, 1, Best(told["metric"], value, "min"))
    assert load_checkpoint(tmp_path / "best.pt")["step"] == expected
    assert (tmp_path / "best.json").exists() == (expected == 2)


def test_an_empty_best_json_is_no_traceback(make_state, tmp_path, caplog):
    shutil.copy(OLD / "best.pt", tmp_path)
    (tmp_path / "best.json").touch()
    state = make_state()
    state.step = 5
    save(state, tmp_path, 1, Best("loss/generator", 1e9, "min"))
    assert load_checkpoint(tmp_path / "best.pt")["step"] == 5


def test_what_a_run_is_and_further_parts_travel_with_it(make_state, tmp_path):
    class Augmentation:
        strength = 0.0

        def state_dict(self):
            return {"strength": self.strength}

        def load_state_dict(self, state):
            self.strength = state["strength"]

    states = make_state(), make_state(seed=1)
    for state in states:
        state.further["augmentation"] = Augmentation()
    states[0].further["augmentation"].strength = 0.5
    identity = {"loss": {"a": -1}, "data": {"num_images": 5}}
    Checkpoints(tmp_path, 1, 1, identity).after_step(states[0], True)
    load_latest(states[1], tmp_path)
    assert states[1].further["augmentation"].strength == 0.5
    assert load_checkpoint(tmp_path / "step-000000.pt")["identity"] == identity
    with pytest.raises(
        LsganError, match=r"does not fit the run's config: it holds augmentation, discriminator, .*, and"
    ):
        load_latest(make_state(), tmp_path)
