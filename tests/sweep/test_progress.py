import json

from lsgan.sweep.progress import Progress


def write(folder, *rows):
    with open(folder / "metrics.jsonl", "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_values_are_read_as_they_are_written_and_what_is_no_number_is_left_out(tmp_path):
    progress = Progress(tmp_path, "q", "min")
    progress.read()
    assert (progress.best, progress.values) == (None, {})
    write(tmp_path, {"step": 1, "q": float("nan")}, {"step": 2, "q": 3.0}, {"step": 3, "q": None}, {"step": 4, "p": 0})
    progress.read()
    write(tmp_path, {"step": 5, "q": 2}, {"step": 6, "q": float("inf")})
    progress.read()
    assert progress.values == {2: 3.0, 5: 2}
    assert progress.best == 2
    assert progress.last["step"] == 6


def test_the_rows_that_a_resumed_run_drops_are_forgotten(tmp_path):
    write(tmp_path, {"step": 1, "q": 1.0}, {"step": 2, "q": 9.0})
    progress = Progress(tmp_path, "q", "max")
    progress.read()
    assert progress.best == 9.0
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "q": 1.0}\n')
    progress.read()
    assert progress.best == 1.0
