"""Command lines that report on their way: what is read of their output, and how they are ended."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_moo.curves import Stops
from rapid_moo.errors import InputError
from rapid_moo.measure import Attempt, Command, Reports, commands, parse_output
from rapid_moo.measure.commands import read_line
from rapid_moo.workers import Child
from rapid_moo.workers._process import GRACE

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are those of POSIX")

NAMES = ("error", "latency")
STOPS = Stops(10, {"error": ("min", {2: 5.0, 4: 1.0})})
HEAD = """
import json, os, signal, subprocess, sys, time
genes = json.load(sys.stdin)
def say(**values):
    # A handler of a signal may come in the middle of a print, which refuses to be called again then.
    sys.stdout.flush()
    os.write(1, (json.dumps(values) + "\\n").encode())
def train(steps, first=1):
    for step in range(first, steps + 1):
        say(report=step, of=10, error=8.0 / step)
def note(*numbers):
    with open("numbers.part", "w") as file:
        print(os.getpid(), *numbers, file=file)
    os.rename("numbers.part", "numbers")
"""
FAR, SOON = 60, 15  # seconds that nobody waits for, and in which everything here ends


@pytest.fixture
def command(tmp_path):
    """A command whose script has the given body, in a folder of its own."""

    def make(body, **options):
        (tmp_path / "train.py").write_text(HEAD + body)
        return Command(shlex.join([sys.executable, str(tmp_path / "train.py")]), str(tmp_path), **options)

    return make


def is_gone(number):
    """Whether a process has ended; one that nobody has waited for has ended too."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        pass
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return Path("/proc/self/stat").exists()


def numbers(tmp_path):
    return [int(word) for word in (tmp_path / "numbers").read_text().split()]


def timed(call, *arguments):
    begin = time.monotonic()
    return call(*arguments), time.monotonic() - begin


class TestReports:
    def test_become_curves_beside_the_result(self, command):
        line = command("train(4)\nprint('saved')\nsay(report=5, of=10, error=1, latency=3)\nsay(error=0.5, latency=2)")
        outcome = Attempt(line, NAMES)({})
        assert outcome.values == {"error": 0.5, "latency": 2.0}
        assert outcome.curves == {"error": (*((k, 8.0 / k) for k in range(1, 5)), (5, 1.0)), "latency": ((5, 3.0),)}
        assert (outcome.reasons, outcome.stopped, outcome.mark) == ({}, {}, "")

    def test_come_while_the_command_runs(self, command, tmp_path):
        """It goes on only when what it reported was read."""
        body = "train(1)\nwhile not os.path.exists('heard'): time.sleep(0.01)\nsay(error=1, latency=2)"

        class Listening(Reports):
            def __call__(self, *arguments, **options):
                (tmp_path / "heard").touch()
                return super().__call__(*arguments, **options)

        reports = Listening(NAMES)
        assert command(body)({}, reports) == {"error": 1, "latency": 2}
        assert reports.curves == {"error": [(1, 8.0)]}

    @pytest.mark.parametrize(
        "body",
        [
            "train(2)\nprint(json.dumps({'error': 1, 'latency': 2}, indent=2))",
            "say(error=1, latency=2)\ntrain(2)",
            "say(error=1, latency=2)\ntrain(2)\nprint('bye')",
            "sys.stdout.write('10 %\\r50 %\\r' + json.dumps({'report': 1, 'of': 2, 'error': 8.0}) + '\\r100 %\\n')\n"
            "say(report=2, error=4)\nsay(error=1, latency=2)",
            "sys.stdout.buffer.write(b'\\xff\\xfe\\x80\\n')\nsys.stdout.flush()\ntrain(2)\nsay(error=1, latency=2)",
            r"sys.stdout.write('{\"report\": 1, \"error\": 8.0}\r\n{\"report\": 2, \"error\": 4.0}\r\n')"
            "\nprint(json.dumps({'error': 1, 'latency': 2}), end='')",
            "say(report=1, error=8)\nsay(error=1, latency=2)\nprint(json.dumps({'report': 2, 'error': 4}), end='')",
        ],
        ids=["pretty", "before", "between", "progress bar", "not UTF-8", "windows", "no end of line"],
    )
    def test_are_told_from_whatever_else_is_printed(self, command, body):
        outcome = Attempt(command(body), NAMES)({})
        assert outcome.values == {"error": 1.0, "latency": 2.0}
        assert outcome.curves == {"error": ((1, 8.0), (2, 4.0))}

    def test_are_none_where_an_objective_has_that_name(self, command):
        outcome = Attempt(command("say(report=3, of=4)\nsay(report=7)"), ["report"], ["of"])({})
        assert (outcome.values, outcome.curves) == ({"report": 7.0}, {})

    def test_are_left_out_of_the_result_whoever_calls(self, command):
        assert command("train(3)\nsay(error=1)\ntrain(4, 4)")({}) == {"error": 1}

    def test_without_a_result_are_a_failure(self, command):
        outcome = Attempt(command("train(3)"), NAMES)({})
        assert "nothing (no JSON object on standard output)" in outcome.reasons["error"]
        assert len(outcome.curves["error"]) == 3

    @given(st.binary() | st.text().map(str.encode))
    def test_what_is_no_report_stays_as_it_is(self, line):
        rest, reports = read_line(line)
        assert (rest.decode(), reports) == (line.decode(errors="replace"), [])

    @given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.booleans())))
    def test_any_object_with_the_word_is_one(self, values):
        told = {**values, "report": 1}
        assert read_line(json.dumps(told).encode() + b"\n") == (b"", [told])


OUTPUTS = {
    "result": b'{"error": 1, "latency": 2}\n',
    "pretty": b'{\n "error": 1,\n "latency": 2\n}',
    "log lines": b'{"step": 3, "error": 9, "loss": 7}\n{"error": 1, "latency": 2}\nbye\n',
    "steps in the result": b'{"step": 3, "error": 1, "of": 3}\n',
    "garbage": bytes(range(256)) * 50,
    "nothing": b"",
    "word in a text": b'wrote "report"\n{"note": "report", "error": 1}\n',
    "broken": b'{"report": 3, "error": 1\n{"error": 2}\n',
    "list": b'["report", 3]\n{"error": 2}\n',
    "inside": b'{"error": 2, "more": {"report": 3}}\n',
    "form feeds": '{"error": 2, "note": "a\u2028b\u0085c"}\x0c\n'.encode(),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_command_that_does_not_report_gets_what_it_ever_got(kind, tmp_path):
    (tmp_path / "out").write_bytes(OUTPUTS[kind])
    command, reports = Command(f"cat {shlex.quote(str(tmp_path / 'out'))}"), Reports(NAMES)
    assert repr(command({}, reports)) == repr(parse_output(OUTPUTS[kind].decode(errors="replace")))
    assert reports.curves == {}


BAD = [
    [(0, {"error": 1.0})],
    [(2, {"error": 1.0}), (2, {"error": 1.0})],
    [(2, {"error": 1.0}), (1, {"error": 1.0})],
    [(3.5, {"error": 1.0})],
    [("3", {"error": 1.0})],
    [(None, {"error": 1.0})],
    [(True, {"error": 1.0})],
    [([1], {"error": 1.0})],
    [(9, {"error": 1.0}, 8)],
    [(9, {"error": 1.0}, "many")],
    [(3, {"loss": 1.0})],
    [(3, {"error": 1.0, "loss": 1.0})],
    [(3, {})],
    [(3, {"error": "low"})],
    [(3, {"error": 1.0, "latency": None})],
    [(3, {"error": {"value": 3}})],
]


@pytest.mark.parametrize("told", BAD, ids=repr)
def test_wrong_reports_are_the_errors_of_functions_and_end_the_command(told, command, tmp_path):
    def function(genes, report):
        for step, values, *of in told:
            report(step, values, *of)

    lines = [{"report": step, **values, **({"of": of[0]} if of else {})} for step, values, *of in told]
    line = command(f"note()\nfor line in {lines!r}: say(**line)\ntime.sleep({FAR})")
    outcome, seconds = timed(Attempt(line, NAMES), {})
    expected = Attempt(function, NAMES)({})
    assert outcome.reasons == expected.reasons
    assert outcome.mark == expected.mark != ""
    assert outcome.curves == expected.curves
    assert isinstance(outcome.error, InputError)
    assert f"printed by the command: {json.dumps(lines[-1])}" in outcome.trace
    assert seconds < SOON
    assert all(map(is_gone, numbers(tmp_path)))


class TestStopping:
    def test_ends_the_command_and_all_that_it_started(self, command, tmp_path):
        body = "child = subprocess.Popen(['sleep', '60'])\n"
        body += "shell = subprocess.Popen(['sh', '-c', 'sleep 60; echo'])\nnote(child.pid, shell.pid)\n"
        outcome, seconds = timed(Attempt(command(f"{body}train(4)\ntime.sleep({FAR})"), NAMES), {}, STOPS)
        assert outcome.values == {}
        assert outcome.curves == {"error": ((1, 8.0), (2, 4.0), (3, 8.0 / 3), (4, 2.0))}
        assert outcome.stopped == {"error": 0.4, "latency": 0.4}
        assert outcome.reasons == dict.fromkeys(NAMES, "stopped at step 4 of 10")
        assert (outcome.mark, outcome.error) == ("", None)
        assert seconds < SOON
        assert len(numbers(tmp_path)) == 3
        assert all(map(is_gone, numbers(tmp_path)))

    def test_kills_what_ignores_it(self, command, tmp_path):
        """The program and a child; its standard output is never silent."""
        body = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nchild = subprocess.Popen(['sleep', '60'])\n"
        body += "note(child.pid)\ntrain(4)\nwhile True: print('x' * 1000)"
        outcome, seconds = timed(Attempt(command(body), NAMES), {}, STOPS)
        assert outcome.stopped == {"error": 0.4, "latency": 0.4}
        assert GRACE <= seconds < SOON
        assert len(numbers(tmp_path)) == 2
        assert all(map(is_gone, numbers(tmp_path)))

    def test_reaches_what_has_closed_its_output(self, command, tmp_path):
        body = f"note()\ntrain(4)\nos.close(1)\nos.close(2)\ntime.sleep({FAR})"
        outcome, seconds = timed(Attempt(command(body), NAMES), {}, STOPS)
        assert outcome.stopped["error"] == 0.4
        assert seconds < SOON
        assert all(map(is_gone, numbers(tmp_path)))

    @pytest.mark.parametrize(
        ("daemon", "handler"), [("exec sleep 60", "SIG_DFL"), ("sleep 1; exec yes", "SIG_IGN")], ids=["silent", "loud"]
    )
    def test_waits_for_nobody_who_left_the_group(self, command, tmp_path, daemon, handler):
        """A daemon that holds the output is nobody's to end, as ever."""
        body = f"daemon = subprocess.Popen(['sh', '-c', {daemon!r}], start_new_session=True)\nnote(daemon.pid)\n"
        body += f"signal.signal(signal.SIGTERM, signal.{handler})\ntrain(4)\ntime.sleep({FAR})"
        outcome, seconds = timed(Attempt(command(body), NAMES), {}, STOPS)
        own, daemon = numbers(tmp_path)
        assert outcome.stopped["error"] == 0.4
        assert seconds < SOON
        assert is_gone(own)
        # What is loud ends by itself, since nobody reads any more.
        if handler == "SIG_DFL":
            assert not is_gone(daemon)
            os.kill(daemon, signal.SIGKILL)

    @pytest.mark.parametrize("code", [0, 1, 143])
    def test_makes_the_exit_code_and_standard_error_meaningless(self, command, code):
        body = f"signal.signal(signal.SIGTERM, lambda *_: sys.exit({code}))\ntrain(4)\ntime.sleep({FAR})"
        outcome = Attempt(command(body), NAMES)({}, STOPS)
        assert outcome.stopped == {"error": 0.4, "latency": 0.4}

    @pytest.mark.parametrize(
        "body",
        [
            "say(latency=7)\ntrain(4)\ntime.sleep(60)",
            "signal.signal(signal.SIGTERM, lambda *_: [say(latency=7), os._exit(0)])\ntrain(4)\ntime.sleep(60)",
            "say(latency=7, error=3)\ntrain(4)\ntime.sleep(60)",
        ],
        ids=["first", "last", "both"],
    )
    def test_keeps_what_was_printed_of_objectives_without_reports(self, command, body):
        outcome = Attempt(command(body), NAMES)({}, STOPS)
        assert outcome.values == {"latency": 7.0}
        assert outcome.stopped == {"error": 0.4}

    def test_bills_who_does_not_flush_for_all_that_was_done(self, command):
        body = (
            "lines = [{'report': k, 'of': 10, 'error': 8.0 / k} for k in range(1, 11)] + [{'error': 1, 'latency': 7}]\n"
        )
        body += "os.write(1, ''.join(json.dumps(line) + '\\n' for line in lines).encode())"
        outcome = Attempt(command(body), NAMES)({}, STOPS)
        assert outcome.stopped == {"error": 1.0}
        assert outcome.reasons == {"error": "stopped at step 10 of 10"}
        assert outcome.values == {"latency": 7.0}

    def test_counts_steps_of_who_goes_on_meanwhile_and_forgives_wrong_ones(self, command):
        body = "def last(*_): say(report=6, of=10, error=1); say(report=1, error=1); say(report=7); os._exit(0)\n"
        outcome = Attempt(command(f"{body}signal.signal(signal.SIGTERM, last)\ntrain(4)\ntime.sleep(60)"), NAMES)(
            {}, STOPS
        )
        assert outcome.stopped == {"error": 0.6, "latency": 0.6}
        assert outcome.curves["error"][-1] == (6, 1.0)

    def test_without_the_number_of_steps_those_of_complete_ones_count(self, command):
        outcome = Attempt(command("say(report=4, error=2)\ntime.sleep(60)"), NAMES)({}, Stops(16, STOPS.limits))
        assert outcome.stopped == {"error": 0.25, "latency": 0.25}

    def test_ends_a_training_that_diverges_and_has_failed(self, command):
        body = "say(latency=7)\nsay(report=1, error=3)\nsay(report=2, error=float('nan'))\ntime.sleep(60)"
        outcome, seconds = timed(Attempt(command(body), NAMES), {})
        assert outcome.values == {"latency": 7.0}
        assert outcome.reasons == {"error": "expected a finite number, got nan at step 2"}
        assert outcome.curves == {"error": ((1, 3.0),)}
        assert (outcome.stopped, outcome.mark) == ({}, "")
        assert seconds < SOON

    def test_leaves_who_reports_and_fails_a_failure(self, command):
        body = "train(3)\nprint('no memory left', file=sys.stderr)\nsys.exit(3)"
        outcome = Attempt(command(body), NAMES)({}, STOPS)
        assert outcome.reasons == dict.fromkeys(NAMES, "exit code 3: no memory left")
        assert outcome.curves == {"error": ((1, 8.0), (2, 4.0), (3, 8.0 / 3))}
        assert outcome.stopped == {}
        outcome = Attempt(command("train(3)\nos.kill(os.getpid(), 9)"), NAMES)({}, STOPS)
        assert outcome.reasons["error"] == "killed by signal 9: nothing on standard error"
        assert len(outcome.curves["error"]) == 3

    def test_keeps_standard_error(self, command, tmp_path):
        line = command(
            "print('epoch', file=sys.stderr, flush=True)\ntrain(4)\ntime.sleep(60)", log=str(tmp_path / "log")
        )
        assert Attempt(line, NAMES)({"g": 1}, STOPS).stopped
        assert (tmp_path / "log" / "stderr.log").read_text() == '--- {"g": 1}\nepoch\n'


class TestPipes:
    def test_long_output_on_both_and_long_input_block_nobody(self, command):
        body = "assert len(genes['g']) == 2**20\nfor k in range(1, 2001):\n"
        body += "    print('x' * 5000); print('y' * 5000, file=sys.stderr); say(report=k, error=1.0 / k)\n"
        outcome = Attempt(command(body + "say(error=1, latency=2)"), NAMES)({"g": "z" * 2**20})
        assert outcome.values == {"error": 1.0, "latency": 2.0}
        assert len(outcome.curves["error"]) == 2000

    def test_input_that_nobody_reads_harms_nothing(self):
        genes = {"g": "z" * 2**20}
        assert Command("echo '{\"error\": 1}'")(genes) == {"error": 1}
        assert Command("sh -c 'exec <&-; sleep 0.2; echo \"{}\"'")(genes) == {}

    def test_only_the_end_of_very_long_output_is_kept(self, command, monkeypatch):
        monkeypatch.setattr(commands, "MOST", 1000)
        body = "say(error=5)\nfor k in range(1000): say(report=k + 1, error=7); print('x' * 50)\nsay(error=1)"
        assert command(body)({}) == {"error": 1}
        told = repr(command("say(error=5)\nfor _ in range(1000): print('x' * 50)\nprint('end')")({}))
        assert told.startswith("xxx")
        assert "end (no JSON" in told

    def test_a_line_of_many_chunks(self, command):
        body = 'sys.stdout.write(\'{"error": 1, "note": "\')\n'
        body += "for _ in range(100): sys.stdout.write('x' * 100_000); sys.stdout.flush()\nprint('\"}')"
        assert command(body)({})["error"] == 1

    def test_what_a_command_leaves_behind_is_waited_for_as_long_as_it_holds_the_output(self):
        line = 'sh -c \'(sleep 0.5; echo "{\\"error\\": 1}") & echo begun\''
        assert Command(line)({}) == {"error": 1}


class TestChild:
    def test_left_by_an_exception_it_is_ended(self):
        with pytest.raises(KeyboardInterrupt), Child(["sleep", "60"], "", b"") as child:
            raise KeyboardInterrupt
        assert is_gone(child.popen.pid)
        assert child.popen.returncode == -signal.SIGTERM

    def test_it_has_a_group_of_its_own_in_the_session_of_its_parent(self):
        with Child(["sleep", "60"], "", b"") as child:
            assert os.getpgid(child.popen.pid) == child.popen.pid != os.getpgrp()
            assert os.getsid(child.popen.pid) == os.getsid(0)
            child.end()
            assert child.wait() == -signal.SIGTERM

    @pytest.mark.parametrize("end", ["", "raise KeyboardInterrupt"])
    def test_with_the_interpreter_it_ends_even_in_a_thread(self, end, tmp_path):
        script = (
            "import sys, threading, time\nfrom pathlib import Path\nfrom rapid_moo.measure import Command\n"
            "line = Command(\"sh -c 'sleep 60 & echo $$ $! > part; mv part numbers; wait'\")\n"
            "threading.Thread(target=line, args=({},), daemon=True).start()\n"
            "while not Path('numbers').exists(): time.sleep(0.02)\n" + end
        )
        subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert len(numbers(tmp_path)) == 2
        assert all(map(is_gone, numbers(tmp_path)))

    def test_several_at_a_time_are_ended_one_by_one(self, command):
        line = command("if genes['stop']: train(4); time.sleep(60)\ntime.sleep(1)\nsay(error=1, latency=2)")
        outcomes = {}

        def run(k):
            outcomes[k] = Attempt(line, NAMES)({"stop": k % 2}, STOPS)

        threads = [threading.Thread(target=run, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert [bool(outcomes[k].stopped) for k in range(4)] == [False, True, False, True]
        assert outcomes[0].values == {"error": 1.0, "latency": 2.0}


def test_what_a_program_writes_between_a_look_and_its_end_is_read(monkeypatch):
    look = Child._is_over

    def late(self, *, silent):
        self.popen.wait()
        return look(self, silent=silent)

    monkeypatch.setattr(Child, "_is_over", late)
    program = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: [time.sleep(0.2), os.write(1, b'last\\n'), os._exit(0)])\n"
        "os.write(1, b'first\\n')\n"
        "time.sleep(60)"
    )
    found = []
    with Child([sys.executable, "-c", program], "", b"") as child:
        for line in child.lines():
            found.append(line)
            child.end()
        child.wait()
    assert found == [b"first\n", b"last\n"]
