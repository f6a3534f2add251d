"""What the tests let workers do; a module that worker processes can import."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


class TwoWordsError(Exception):
    """Can be pickled, but not loaded again: its constructor wants more than its message."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


class FineError(Exception):
    pass


class LoadsNowhere:
    def __reduce__(self):
        return os.kill, ("nobody", 0)


def double(x):
    return 2 * x


def process_id():
    return os.getpid()


def identity():
    return os.getpid(), os.getpgrp(), os.getsid(0)


def nap(seconds, value=None):
    time.sleep(seconds)
    return value


def touch_and_nap(path, seconds):
    Path(path).write_text(str(os.getpid()))
    time.sleep(seconds)


def kill_oneself(number):
    os.kill(os.getpid(), number)
    time.sleep(60)


def segfault():
    ctypes.string_at(0)


def leave(code):
    os._exit(code)


def leave_properly(code):
    sys.exit(code)


def raise_fine(text):
    raise FineError(text)


def raise_two_words():
    raise TwoWordsError("odd", "one")


def raise_with_lock():
    raise RuntimeError("holds a lock", threading.Lock())


def give_lock():
    return threading.Lock()


def give_what_loads_nowhere():
    return LoadsNowhere()


def speak():
    print("to the output")
    print("to the errors", file=sys.stderr)
    subprocess.run([sys.executable, "-c", "print('of a child')"], check=True)


def give_megabytes(count):
    return bytes(count * 2**20)


def read_input():
    return sys.stdin.read()


def search_path():
    return sys.path


def import_module(name):
    return __import__(name).VALUE


def children_that_resist(path):
    """A child that ignores SIGTERM, and one that does not in a group of its own; both sleep. Writes their numbers."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    one = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
    one.stdout.read(1)
    two = subprocess.Popen(["sleep", "60"], process_group=0)
    write_at_once(path, f"{os.getpid()} {one.pid} {two.pid}")
    one.wait()


def child_in_a_group_of_its_own(path, number=0):
    """A child that SIGTERM to the group of its parent does not reach; sends itself a signal, or waits."""
    child = subprocess.Popen(["sleep", "60"], process_group=0)
    write_at_once(path, f"{os.getpid()} {child.pid}")
    if number:
        os.kill(os.getpid(), number)
    child.wait()


def child_that_holds_on(path):
    """A forked child that sleeps and keeps whatever its parent had open, while the parent is killed."""
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    write_at_once(path, f"{os.getpid()} {child}")
    os.kill(os.getpid(), signal.SIGKILL)


def write_at_once(path, text):
    part = Path(f"{path}.part")
    part.write_text(text)
    part.rename(path)


def net_accuracy(genes):
    return 60.0 + 4.0 * genes["g0"] + 2.0 * genes["g1"] - genes["g2"] + (7 * genes["g0"] + 3 * genes["g1"]) % 5 / 5


def train(genes, report):
    """A curve that comes nearer to its end; nobody stops the first epochs."""
    end = net_accuracy(genes)
    for epoch in range(1, 11):
        if report(epoch, {"accuracy": end - 30.0 * 0.6**epoch}, of=10):
            return None
    return {"accuracy": end}


def time_net(genes):
    return {"latency": 1.0 + 3.0 * genes["g0"] + genes["g1"] + 2.0 * genes["g2"]}
