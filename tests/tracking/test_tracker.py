import pytest

from lsgan.errors import CollapsedError
from lsgan.tracking.tracker import NoService, Outcome, Record, Trackers


class Listener:
    def __init__(self):
        self.heard = []

    def log(self, record):
        self.heard.append(record.step)

    def close(self, outcome):
        self.heard.append(outcome)


def test_all_hear_everything_and_the_end():
    listeners = [Listener(), Listener()]
    with Trackers(*listeners) as tracker:
        tracker.log(Record(1))
    assert [listener.heard for listener in listeners] == [[1, Outcome("finished")]] * 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ValueError("too hot"), Outcome("failed", "too hot")),
        (ValueError(), Outcome("failed", "ValueError")),
        (CollapsedError("step 7: D has won"), Outcome("collapsed", "step 7: D has won")),
        (KeyboardInterrupt(), Outcome("interrupted", "Ctrl-C")),
    ],
)
def test_a_failing_body_closes_too_and_still_fails(error, outcome):
    listener = Listener()
    with pytest.raises(type(error)), Trackers(listener):
        raise error
    assert listener.heard == [outcome]


def test_one_that_fails_to_close_does_not_keep_the_others_open():
    class Broken(Listener):
        def close(self, outcome):
            raise OSError("disk full")

    listeners = [Listener(), Broken(), Listener()]
    with pytest.raises(OSError, match="disk full"):
        Trackers(*listeners).close(Outcome("finished"))
    assert [listener.heard for listener in listeners] == [[Outcome("finished")], [], [Outcome("finished")]]


def test_none_is_silent():
    NoService().start(None).log(Record(1))
