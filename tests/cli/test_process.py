"""The command as a process of its own: exit codes, streams, Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys

from grulearn import load

COMMAND = [sys.executable, "-c", "from grulearn.cli.entry import main; main()"]
ENDLESS = ("--max-iter", "100000000", "--no-early-stopping", "--hidden-size", "4", "--random-state", "0")


def start(*arguments):
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def interrupt_in_training(*arguments):
    """Press Ctrl-C once the first epoch was reported; return exit code and stderr."""
    process = start(*arguments)
    while not process.stdout.readline().startswith("epoch"):
        assert process.poll() is None, process.stderr.read()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    return process.returncode, stderr


class TestCtrlC:
    """It ends cleanly, and keeps what was trained if there was an --output."""

    def test_keeps_what_was_trained(self, csv, houses, tmp_path):
        path, picture = tmp_path / "model.gru", tmp_path / "loss.png"
        code, stderr = interrupt_in_training(
            "fit", csv, "--target", "price", "--output", path, "--plot", picture, *ENDLESS
        )
        assert code == 130
        assert "Traceback" not in stderr
        assert stderr.startswith("grulearn: error: interrupted after ")
        assert stderr.endswith(f"what was trained so far is kept in {path} and {picture}\n")
        fitted = load(path)
        assert fitted.stop_reason_ == "interrupted"
        assert fitted.n_iter_ >= 1
        assert len(fitted.predict(houses[["rooms", "age"]])) == len(houses)
        assert sorted(file.name for file in tmp_path.iterdir()) == ["houses.csv", "loss.png", "model.gru"]

    def test_writes_nothing_unasked(self, csv, tmp_path):
        code, stderr = interrupt_in_training("fit", csv, "--target", "price", *ENDLESS)
        assert code == 130
        assert stderr.endswith("nothing was written, as there was no --output\n")
        assert [file.name for file in tmp_path.iterdir()] == ["houses.csv"]

    def test_even_before_there_is_a_command(self):
        """The program is interrupted in its first import."""
        code = (
            "import sys, grulearn.cli.entry as entry\n"
            "class Interrupting:\n"
            "    def find_spec(self, name, path, target=None):\n"
            "        if name == 'grulearn.cli.app': raise KeyboardInterrupt\n"
            "sys.meta_path.insert(0, Interrupting())\n"
            "entry.main()"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (130, "grulearn: error: interrupted\n")


def test_a_table_can_come_through_a_pipe(csv, model):
    text = csv.read_text()
    expected = subprocess.run([*COMMAND, "predict", model, csv], capture_output=True, text=True, check=True)
    for name in ("-", "/dev/stdin"):
        piped = subprocess.run(
            [*COMMAND, "predict", model, name], input=text, capture_output=True, text=True, check=True
        )
        assert piped.stdout == expected.stdout


def test_error_has_an_exit_code_and_no_traceback(csv):
    process = start("fit", csv, "--target", "prize")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stdout == ""
    assert stderr.count("\n") == 1
    assert stderr.startswith("grulearn: error: ")


def test_reader_that_leaves_early_is_no_error(csv, model):
    process = start("predict", model, csv)
    process.stdout.close()
    assert "Traceback" not in process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
