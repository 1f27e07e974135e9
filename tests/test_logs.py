"""The end of a log."""

from asymflow.logs import TAIL, tail


def test_of_a_long_log_only_the_end_is_read_and_of_none_nothing(tmp_path):
    log = tmp_path / "train.log"
    assert tail(log) == ""
    log.write_text("short\n")
    assert tail(log) == "short\n"
    log.write_text("é" * TAIL + "last line\n")  # cut within a letter
    assert tail(str(log)).endswith("élast line\n") and len(tail(log).encode()) <= TAIL + 2
