"""Executors: local worker processes that die one at a time, this thread, a cluster through ``submitit``; programs."""

from rapid_moo.workers.child import Child
from rapid_moo.workers.executors import DaemonThreads, SerialExecutor, SubmititExecutor
from rapid_moo.workers.pool import ProcessWorkers
from rapid_moo.workers.shared import informed, share

__all__ = ["Child", "DaemonThreads", "ProcessWorkers", "SerialExecutor", "SubmititExecutor", "informed", "share"]
