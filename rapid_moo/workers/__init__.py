"""Executors: local worker processes that die one at a time, this thread, and a cluster through ``submitit``."""

from rapid_moo.workers.executors import DaemonThreads, SerialExecutor, SubmititExecutor
from rapid_moo.workers.pool import ProcessWorkers
from rapid_moo.workers.shared import informed, share

__all__ = ["DaemonThreads", "ProcessWorkers", "SerialExecutor", "SubmititExecutor", "informed", "share"]
