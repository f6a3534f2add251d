"""Workers: outcomes come back, deaths and time-outs cost only their own work, and nothing outlives the parent."""

from __future__ import annotations

import concurrent.futures
import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest

from rapid_moo.errors import InputError, WorkerDiedError, WorkTimeoutError
from rapid_moo.workers import DaemonThreads, ProcessWorkers, SerialExecutor, SubmititExecutor, _process, _worker

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups are those of POSIX")

FOLDER = Path(__file__).parent
SOON = 30  # seconds after which a future hangs


@pytest.fixture(scope="module")
def work():
    """Module whose functions workers can find: its folder is on the path that they are handed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(FOLDER)
        yield importlib.import_module("work")


@pytest.fixture
def workers():
    """Two workers, whose processes are ended after the test whatever it leaves."""
    pool = ProcessWorkers(2)
    yield pool
    pool.terminate()


def wait_for(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
    return value


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


def numbers(path):
    return [int(word) for word in wait_for(lambda: path.exists() and path.read_text()).split()]


# Outcomes


def test_many_quick_jobs_over_four_workers(work):
    with ProcessWorkers(4) as pool:
        assert list(pool.map(work.double, range(200), timeout=SOON)) == [2 * k for k in range(200)]
        futures = [pool.submit(work.process_id) for _ in range(40)]
        found = {future.result(SOON) for future in futures}
    assert 1 <= len(found) <= 4
    assert os.getpid() not in found
    assert all(is_gone(number) for number in found)


def test_a_process_starts_only_when_no_other_is_idle(work, workers):
    first = workers.submit(work.process_id).result(SOON)
    wait_for(lambda: workers.running == 0)
    time.sleep(0.1)
    assert {workers.submit(work.process_id).result(SOON) for _ in range(3) if not time.sleep(0.05)} == {first}


def test_a_worker_leads_a_session_of_its_own(work, workers):
    number, group, session = workers.submit(work.identity).result(SOON)
    assert number == group == session != os.getpid()


def test_an_exception_is_itself_with_the_traceback_of_the_work(work, workers):
    error = workers.submit(work.raise_fine, "as planned").exception(SOON)
    assert type(error) is work.FineError
    assert error.args == ("as planned",)
    shown = "".join(traceback.format_exception(error))
    assert "in raise_fine" in shown
    assert "raise FineError(text)" in shown
    assert "_worker.py" not in shown


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raise_two_words", "work.TwoWordsError: odd one"),
        ("raise_with_lock", "RuntimeError: ('holds a lock', <unlocked"),
    ],
)
def test_an_exception_that_cannot_be_sent_is_told(work, workers, name, message):
    error = workers.submit(getattr(work, name)).exception(SOON)
    assert type(error) is RuntimeError
    assert str(error).startswith(message)
    assert f"in {name}" in str(error.__cause__)


def test_a_script_that_exits_ends_neither_controller_nor_worker(work, workers):
    error = workers.submit(work.leave_properly, 3).exception(SOON)
    assert type(error) is RuntimeError
    assert str(error) == "SystemExit: 3"
    assert workers.submit(work.double, 4).result(SOON) == 8


def test_a_result_that_cannot_be_sent_costs_no_worker(work):
    with ProcessWorkers(1) as pool:
        before = pool.submit(work.process_id).result(SOON)
        with pytest.raises(InputError, match=r"give_lock: its result cannot be sent back: .*_thread\.lock"):
            pool.submit(work.give_lock).result(SOON)
        with pytest.raises(InputError, match=r"give_what_loads_nowhere: .* cannot be loaded here: .*nobody|integer"):
            pool.submit(work.give_what_loads_nowhere).result(SOON)
        assert pool.submit(work.process_id).result(SOON) == before


def test_a_large_result_comes_whole(work, workers):
    assert len(workers.submit(work.give_megabytes, 20).result(SOON)) == 20 * 2**20


def test_a_large_argument_arrives_whole(work, workers):
    assert workers.submit(len, bytes(20 * 2**20)).result(SOON) == 20 * 2**20


# What cannot be sent


def inner():
    def closure():
        return 1

    return closure


@pytest.mark.parametrize("fn", [lambda: 1, inner(), functools.partial(inner())], ids=["lambda", "closure", "partial"])
def test_work_that_cannot_be_pickled_is_refused_at_once(workers, fn):
    with pytest.raises(
        InputError, match=r"(<lambda>|closure) .*[Cc]an't pickle.*top level of a module, or use threads"
    ):
        workers.submit(fn)
    with pytest.raises(InputError, match=r"_thread\.lock"):
        workers.submit(print, threading.Lock())


def test_work_that_the_worker_cannot_find_is_one_error(work, workers, monkeypatch, tmp_path):
    (tmp_path / "only_here.py").write_text("def measure():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    measure = importlib.import_module("only_here").measure
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"measure: the worker cannot load it: ModuleNotFoundError.*only_here"):
        workers.submit(measure).result(SOON)
    assert workers.submit(work.double, 1).result(SOON) == 2


@pytest.mark.parametrize("timeout", [0, -1.0, float("nan")])
def test_a_bound_must_be_positive(work, workers, timeout):
    with pytest.raises(InputError, match=str(timeout)):
        workers.submit_timed(timeout, work.double, 1)


def test_there_must_be_a_worker():
    with pytest.raises(InputError, match="got 0"):
        ProcessWorkers(0)


INTERACTIVE = """
import functools
from rapid_moo.errors import InputError
from rapid_moo.workers import ProcessWorkers
def measure(x): return x
class Genes: pass
with ProcessWorkers(1) as pool:
    for work in ((measure, 1), (functools.partial(measure, 1),), (repr, Genes())):
        try:
            pool.submit(*work)
        except InputError as error:
            print(error)
    print(pool.submit(len, "four").result(30))
"""


@pytest.mark.parametrize("how", ["-c", "-", "notebook"])
def test_what_an_interactive_session_defines_is_refused_at_once(how):
    """What a notebook runs lies in a main module without a file."""
    notebook = "import sys, types; main = types.ModuleType('__main__'); sys.modules['__main__'] = main; "
    code = notebook + f"exec({INTERACTIVE!r}, vars(main))" if how == "notebook" else INTERACTIVE
    command = [sys.executable, "-"] if how == "-" else [sys.executable, "-c", code]
    done = subprocess.run(command, input=code, capture_output=True, text=True, check=False, timeout=SOON)
    assert done.returncode == 0, done.stderr
    *refused, last = done.stdout.splitlines()
    assert [line.split(" ")[0] for line in refused] == ["measure", "measure", "repr"]
    assert all("defined in a session" in line and "top level of a module" in line for line in refused)
    assert "Genes is defined" in refused[2]
    assert last == "4"


# Deaths


@pytest.mark.parametrize(
    ("name", "argument", "message"),
    [
        ("kill_oneself", signal.SIGKILL, r"killed by signal 9 \(out of memory\?\)"),
        ("kill_oneself", signal.SIGSEGV, r"killed by signal 11 \(Segmentation fault\)"),
        ("leave", 7, "exited with code 7"),
        ("leave", 0, "exited with code 0"),
    ],
)
def test_a_death_costs_only_its_own_work(work, workers, name, argument, message):
    other = workers.submit(work.nap, 1.0, "fine")
    with pytest.raises(WorkerDiedError, match=f"{name} was lost: worker-[12] (was )?{message}"):
        workers.submit(getattr(work, name), argument).result(SOON)
    assert [workers.submit(work.double, k).result(SOON) for k in range(4)] == [0, 2, 4, 6]
    assert other.result(SOON) == "fine"


def test_a_segmentation_fault_is_in_the_log(work, tmp_path):
    with ProcessWorkers(1, log_folder=tmp_path) as pool:
        error = pool.submit(work.segfault).exception(SOON)
    assert "signal 11" in str(error)
    assert str(tmp_path / "worker-1.log") in str(error)
    assert "in segfault" in (tmp_path / "worker-1.log").read_text()


def test_killed_from_outside(work, workers, tmp_path):
    future = workers.submit(work.touch_and_nap, tmp_path / "begun", 60)
    (number,) = numbers(tmp_path / "begun")
    os.kill(number, signal.SIGKILL)
    assert isinstance(future.exception(5), WorkerDiedError)


def test_an_idle_worker_that_is_killed_costs_nothing(work):
    with ProcessWorkers(1) as pool:
        for _ in range(5):
            number = pool.submit(work.process_id).result(SOON)
            os.kill(number, signal.SIGKILL)
        assert pool.submit(work.double, 2).result(SOON) == 4


def test_a_forked_child_does_not_hide_the_death_of_its_worker(work, workers, tmp_path):
    begin = time.monotonic()
    error = workers.submit(work.child_that_holds_on, tmp_path / "numbers").exception(SOON)
    assert isinstance(error, WorkerDiedError)
    assert time.monotonic() - begin < 10
    assert all(is_gone(number) for number in numbers(tmp_path / "numbers"))


BROKEN = """
import sys
if __name__ == "__mp_main__":
    with open(sys.argv[1], "a") as file:
        file.write("x")
    raise ValueError("the main script is broken")
from rapid_moo.workers import ProcessWorkers
with ProcessWorkers(1) as pool:
    first, second = pool.submit(len, "a"), pool.submit(len, "b")
    print(first.exception(60))
    print(type(second.exception(60)).__name__)
"""


def test_workers_that_cannot_start_give_up_and_say_why(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(BROKEN)
    command = [sys.executable, str(script), str(tmp_path / "starts")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("len could not begin: worker-1 exited with code 1; ")
    assert "ValueError: the main script is broken" in done.stdout
    assert '`if __name__ == "__main__":`' in done.stdout
    assert done.stdout.splitlines()[-1] == "WorkerDiedError"
    assert (tmp_path / "starts").read_text() == "xxxx"


def test_the_log_holds_why_a_worker_cannot_start(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(BROKEN.replace("ProcessWorkers(1)", "ProcessWorkers(1, log_folder=sys.argv[1] + '-logs')"))
    command = [sys.executable, str(script), str(tmp_path / "starts")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.count("ValueError: the main script is broken") == 1
    assert (tmp_path / "starts-logs" / "worker-1.log").read_text().count("ValueError: the main script is broken") == 4


def test_a_script_without_guard_is_told_and_starts_no_cascade(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from rapid_moo.workers import ProcessWorkers\n"
        "print('main')\n"
        "with ProcessWorkers(1) as pool:\n"
        "    print(pool.submit(len, 'four').exception(60))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines().count("main") == 1
    assert "InputError: workers cannot start workers while they import the main script" in done.stdout


def test_a_function_of_a_script_with_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from rapid_moo.workers import ProcessWorkers\n"
        "class OwnError(Exception): pass\n"
        "def measure(x):\n    if x < 0: raise OwnError(x)\n    return 3 * x\n"
        "if __name__ == '__main__':\n"
        "    with ProcessWorkers(1) as pool:\n"
        "        print(pool.submit(measure, 2).result(60), repr(pool.submit(measure, -1).exception(60)))\n"
        "        assert isinstance(pool.submit(measure, -1).exception(60), OwnError)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "6 OwnError(-1)\n"), done.stderr


# Bounds


def test_work_that_takes_too_long_is_ended_with_all_that_it_started(work, workers, tmp_path):
    begin = time.monotonic()
    error = workers.submit_timed(1.0, work.children_that_resist, tmp_path / "numbers").exception(SOON)
    taken = time.monotonic() - begin
    assert isinstance(error, WorkTimeoutError)
    assert isinstance(error, TimeoutError)
    assert "children_that_resist" in str(error)
    assert "over 1 s" in str(error)
    assert 1.0 + _process.GRACE <= taken < 10
    found = numbers(tmp_path / "numbers")
    assert len(found) == 3
    wait_for(lambda: all(is_gone(number) for number in found), 1.0)
    assert workers.submit(work.double, 2).result(SOON) == 4


@pytest.mark.parametrize("number", [0, signal.SIGKILL, signal.SIGTERM])
def test_what_has_a_group_of_its_own_ends_as_well(work, workers, tmp_path, number):
    """After a time-out, and after the worker's own death."""
    error = workers.submit_timed(1.0, work.child_in_a_group_of_its_own, tmp_path / "numbers", number).exception(SOON)
    assert isinstance(error, WorkerDiedError if number else WorkTimeoutError)
    found = numbers(tmp_path / "numbers")
    assert len(found) == 2
    assert all(is_gone(number) for number in found)


def test_groups_of_a_session_are_the_same_whoever_lists_processes(monkeypatch):
    with subprocess.Popen(["sleep", "60"], process_group=0) as child:
        groups = _worker.session_groups(os.getsid(0))
        monkeypatch.setattr(_worker.os, "listdir", lambda path: [])
        again = _worker.session_groups(os.getsid(0))
        child.kill()
    assert {os.getpgrp(), child.pid} <= groups & again
    assert child.pid not in _worker.session_groups(os.getsid(0))


def test_groups_of_a_session_without_any_list_are_those_of_its_leader(monkeypatch):
    monkeypatch.setattr(_worker.os, "listdir", lambda path: [])
    monkeypatch.setenv("PATH", "")
    assert _worker.session_groups(os.getsid(0)) == {os.getsid(0)}


@pytest.mark.parametrize("proc", [_process._PROC, Path("/nowhere/at/all")])
def test_who_is_dead_and_not_waited_for_lives_as_far_as_can_be_seen(proc, monkeypatch):
    monkeypatch.setattr(_process, "_PROC", proc)
    child = subprocess.Popen(["sleep", "60"], process_group=0)
    assert _process.has_living(child.pid)
    child.kill()
    wait_for(lambda: is_gone(child.pid))
    assert _process.has_living(child.pid) == (not proc.exists())
    child.wait()
    assert not _process.has_living(child.pid)


def test_work_within_its_bound_is_left_alone(work, workers):
    assert workers.submit_timed(20.0, work.nap, 0.3, "fine").result(SOON) == "fine"


def test_a_bound_counts_from_the_beginning_of_the_work(work):
    """Work that waits for its turn, or for an interpreter to start, loses none of its time."""
    with ProcessWorkers(1) as pool:
        futures = [pool.submit_timed(1.5, work.nap, 0.8, k) for k in range(3)]
        assert [future.result(SOON) for future in futures] == [0, 1, 2]


# Cancelling and leaving


def test_only_queued_work_can_be_cancelled(work, tmp_path):
    with ProcessWorkers(1) as pool:
        first = pool.submit(work.touch_and_nap, tmp_path / "first", 0.5)
        second = pool.submit(work.touch_and_nap, tmp_path / "second", 0)
        third = pool.submit(work.double, 3)
        numbers(tmp_path / "first")
        assert pool.running == 1
        assert not first.cancel()
        assert second.cancel()
        assert first.result(SOON) is None
        assert third.result(SOON) == 6
    assert not (tmp_path / "second").exists()
    assert pool.running == 0


def test_shutdown_waits_for_all_work(work):
    pool = ProcessWorkers(2)
    futures = [pool.submit(work.nap, 0.2, k) for k in range(4)]
    pool.shutdown()
    assert [future.result(0) for future in futures] == [0, 1, 2, 3]
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work.double, 1)
    pool.shutdown()


def test_shutdown_can_cancel_what_is_queued(work, tmp_path):
    pool = ProcessWorkers(1)
    running = pool.submit(work.touch_and_nap, tmp_path / "begun", 0.5)
    queued = [pool.submit(work.double, k) for k in range(3)]
    numbers(tmp_path / "begun")
    pool.shutdown(wait=False, cancel_futures=True)
    assert concurrent.futures.wait(queued, 0).not_done == set()
    assert all(future.cancelled() for future in queued)
    assert running.result(SOON) is None


def test_shutdown_from_a_callback(work):
    pool = ProcessWorkers(1)
    left = threading.Event()
    future = pool.submit(work.double, 1)
    future.add_done_callback(lambda _: (pool.shutdown(), left.set()))
    assert left.wait(SOON)


def test_terminate_ends_now(work, tmp_path):
    pool = ProcessWorkers(1)
    running = pool.submit(work.children_that_resist, tmp_path / "numbers")
    queued = pool.submit(work.double, 1)
    found = numbers(tmp_path / "numbers")
    begin = time.monotonic()
    pool.terminate()
    assert time.monotonic() - begin < _process.GRACE + 2
    assert "ended by terminate()" in str(running.exception(0))
    assert isinstance(running.exception(0), WorkerDiedError)
    assert queued.cancelled()
    assert concurrent.futures.wait([queued], 0).done == {queued}
    wait_for(lambda: all(is_gone(number) for number in found), 1.0)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work.double, 1)


LEAVING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from rapid_moo.workers import ProcessWorkers
import work
pool = ProcessWorkers(1)
pool.submit(work.children_that_resist, sys.argv[1])
while not Path(sys.argv[1]).exists():
    time.sleep(0.02)
print("begun", flush=True)
{end}
"""


@pytest.fixture
def controller(tmp_path):
    """Start a controller whose worker works; gives its process and the ids of what must end with it."""
    started = []

    def start(end):
        script = tmp_path / "controller.py"
        script.write_text(f"if __name__ == '__main__':\n    exec({LEAVING.format(folder=str(FOLDER), end=end)!r})\n")
        command = [sys.executable, str(script), str(tmp_path / "numbers")]
        started.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        )
        assert started[-1].stdout.readline() == b"begun\n"
        return started[-1], numbers(tmp_path / "numbers")

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_the_interpreter_can_always_exit(controller):
    process, found = controller("print('leaving')")
    assert not process.communicate(timeout=10)[1]
    assert process.returncode == 0
    wait_for(lambda: all(is_gone(number) for number in found), 1.0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_parent_that_is_killed(controller, number):
    process, found = controller("time.sleep(60)")
    os.kill(process.pid, number)
    assert process.wait(5) == -number
    wait_for(lambda: all(is_gone(each) for each in found), 5.0)


def test_workers_end_with_a_parent_whose_pipes_a_forked_child_holds(controller):
    """Only the parent's process id tells then: the pipe stays open."""
    process, found = controller(
        "import os\nif os.fork() == 0:\n    print('forked', flush=True)\n    time.sleep(20)\ntime.sleep(60)"
    )
    assert process.stdout.readline() == b"forked\n"
    process.kill()
    process.wait(5)
    wait_for(lambda: all(is_gone(each) for each in found), 5.0)
    os.killpg(process.pid, signal.SIGKILL)


def test_a_forked_child_that_exits_leaves_the_workers_alone(controller):
    process, found = controller(
        "import os\nif os.fork() == 0: sys.exit()\nos.wait()\nprint('x', flush=True)\ntime.sleep(60)"
    )
    assert process.stdout.readline() == b"x\n"
    assert not any(is_gone(number) for number in found)


def test_interrupt_does_not_reach_workers(controller):
    process, found = controller(
        "try:\n    print('waiting', flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True)\n    time.sleep(60)"
    )
    assert process.stdout.readline() == b"waiting\n"
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == b"interrupted\n"
    time.sleep(0.3)
    assert not any(is_gone(number) for number in found)


# Streams, paths


def test_logs_hold_output_and_errors_and_are_appended_to(work, tmp_path, capfd):
    logs = tmp_path / "new" / "logs"
    for _ in range(2):
        with ProcessWorkers(1, log_folder=logs, name="trainer") as pool:
            pool.submit(work.speak).result(SOON)
    assert (logs / "trainer-1.log").read_text() == "to the output\nto the errors\nof a child\n" * 2
    assert capfd.readouterr() == ("", "")


def test_a_log_can_be_read_while_the_work_goes_on(work, tmp_path):
    with ProcessWorkers(1, log_folder=tmp_path) as pool:
        future = pool.submit(work.nap, 1.0)
        pool.submit(work.speak)
        log = tmp_path / "worker-1.log"
        wait_for(lambda: log.exists() and "to the output\n" in log.read_text())
        assert future.done()


def test_without_logs_only_errors_are_shown(work, capfd):
    with ProcessWorkers(1) as pool:
        pool.submit(work.speak).result(SOON)
        assert pool.submit(work.read_input).result(SOON) == ""
    assert capfd.readouterr() == ("", "to the errors\n")


def test_the_initial_path_comes_after_that_of_the_parent(work, tmp_path):
    (tmp_path / "only_there.py").write_text("VALUE = 5\n")
    with ProcessWorkers(1, initial_path=[str(tmp_path)]) as pool:
        assert pool.submit(work.import_module, "only_there").result(SOON) == 5
        assert pool.submit(work.search_path).result(SOON) == [*sys.path, str(tmp_path)]


# The other executors


def test_serial_work_is_done_when_it_is_submitted(work):
    with SerialExecutor() as pool:
        future = pool.submit(work.double, 3)
        assert future.done()
        assert future.result() == 6
        assert pool.submit(work.process_id).result() == os.getpid()
        assert isinstance(pool.submit(work.raise_fine, "here").exception(), work.FineError)
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work.double, 3)


def test_an_interrupt_passes_through_serial_work():
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SerialExecutor().submit(interrupt)


class UncompletedJobError(Exception):
    """As submitit calls what it raises for a job that left no outcome."""


class Job:
    """A job of a cluster that a test drives."""

    def __init__(self, call):
        self.call = call
        self.ended = self.cancelled = False
        self.error = None
        self.silent = 0

    def done(self):
        if self.silent:
            self.silent -= 1
            raise OSError("stale file handle")
        return self.ended

    def exception(self):
        return self.error

    def result(self):
        return self.call()

    def cancel(self):
        self.cancelled = True


class Cluster:
    def __init__(self):
        self.jobs = []

    def submit(self, fn, /, *args, **kwargs):
        self.jobs.append(Job(functools.partial(fn, *args, **kwargs)))
        return self.jobs[-1]


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def pool(cluster):
    pool = SubmititExecutor(cluster, interval=0.01)
    yield pool
    pool.shutdown(cancel_futures=True)


def test_jobs_of_a_cluster_become_futures(cluster, pool):
    futures = [pool.submit(divmod, 7, k) for k in (2, 3)]
    time.sleep(0.05)
    assert not any(future.done() for future in futures)
    cluster.jobs[1].ended = True
    assert futures[1].result(5) == (2, 1)
    assert not futures[0].done()
    cluster.jobs[0].error, cluster.jobs[0].ended = ValueError("of the job"), True
    with pytest.raises(ValueError, match="of the job"):
        futures[0].result(5)
    cluster_later = pool.submit(pow, 2, 3)
    cluster.jobs[2].ended = True
    assert cluster_later.result(5) == 8


def test_a_job_that_was_lost_is_a_dead_worker(cluster, pool):
    future = pool.submit(pow, 2, 3)
    cluster.jobs[0].error, cluster.jobs[0].ended = UncompletedJobError("state: TIMEOUT"), True
    with pytest.raises(WorkerDiedError, match="state: TIMEOUT"):
        future.result(5)


def test_a_job_without_a_result_is_a_dead_worker(cluster, pool):
    future = pool.submit(pickle.loads, b"torn")
    cluster.jobs[0].ended = True
    with pytest.raises(WorkerDiedError, match="UnpicklingError"):
        future.result(5)


def test_a_scheduler_that_is_away_for_a_moment_costs_no_job(cluster, pool):
    future = pool.submit(pow, 2, 3)
    cluster.jobs[0].ended, cluster.jobs[0].silent = True, 5
    assert future.result(5) == 8


def test_a_job_that_never_answers_is_lost(cluster, pool):
    future = pool.submit(pow, 2, 3)
    cluster.jobs[0].exception = cluster.jobs[0].done
    cluster.jobs[0].silent = 10**9
    with pytest.raises(WorkerDiedError, match="stale file handle"):
        future.result(20)


def test_cancelling_reaches_the_cluster(cluster, pool):
    future, other = pool.submit(pow, 2, 3), pool.submit(pow, 2, 4)
    assert future.cancel()
    wait_for(lambda: cluster.jobs[0].cancelled)
    assert not other.cancelled()
    pool.shutdown(cancel_futures=True)
    assert other.cancelled()
    assert cluster.jobs[1].cancelled
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(pow, 2, 3)


def test_shutdown_waits_for_the_cluster(cluster, pool):
    future = pool.submit(pow, 2, 3)
    threading.Timer(0.1, lambda: setattr(cluster.jobs[0], "ended", True)).start()
    pool.shutdown()
    assert future.result(0) == 8


# ----------------------------------------------------------------------- threads
def test_threads_are_so_many_at_a_time_and_give_values_and_exceptions():
    threads, lock, inside, most = DaemonThreads(3), threading.Lock(), [], []

    def square(n: int) -> int:
        with lock:
            inside.append(n)
            most.append(len(inside))
        time.sleep(0.01)
        with lock:
            inside.remove(n)
        return n * n // (n - 7)

    futures = [threads.submit(square, n) for n in range(12)]
    assert [future.result(timeout=10) for n, future in enumerate(futures) if n != 7] == [
        n * n // (n - 7) for n in range(12) if n != 7
    ]
    assert isinstance(futures[7].exception(timeout=10), ZeroDivisionError)
    assert 1 < max(most) <= 3
    threads.shutdown()
    with pytest.raises(RuntimeError):
        threads.submit(square, 1)


def test_what_is_queued_for_a_thread_can_be_cancelled():
    threads, go = DaemonThreads(1), threading.Event()
    first, second = threads.submit(go.wait, 30), threads.submit(time.time)
    assert second.cancel()
    go.set()
    assert first.result(timeout=10) is True
    threads.shutdown()
    assert second.cancelled()


def test_a_thread_that_is_given_up_does_not_keep_its_process():
    code = "import time; from rapid_moo.workers import DaemonThreads; DaemonThreads(1).submit(time.sleep, 300)"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
