# SPDX-License-Identifier: GPL-2.0-or-later
"""Qubes that ask for reports and checks as fast as they are answered, and what dom0 feels of it."""

import contextlib
import multiprocessing
import os
import pathlib
import socket
import statistics
import tempfile
import threading
import time

from .calls import Refused, call

READERS = 10
QUIET_ROUNDS, BUSY_ROUNDS = 9, 25
BAR_TIMES = 2.0


class Qubesd(threading.Thread):
    """Says to every caller that it sees one qube: all that the service asks of qubesd."""

    def __init__(self, visible):
        super().__init__(daemon=True)
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name) / "qubesd.sock"
        self.answer = f"0\0{visible} class=AppVM state=Halted\n".encode()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(os.fspath(self.path))
        self.listener.listen(64)

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection, contextlib.suppress(OSError):
                    while connection.recv(1 << 12):
                        pass
                    connection.sendall(self.answer)

    def stop(self):
        """Listens no more."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.folder.cleanup()


class Readers:
    """Qubes at it while in `with`, a process each, in turn with `report` and `check`."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        processes = multiprocessing.get_context("fork")
        self.over = processes.Event()
        self.counts = processes.Array("q", 2)
        self.processes = [processes.Process(target=self.loop, args=(f"reader{number}",))
                          for number in range(READERS)]

    @property
    def answered(self):
        """How many calls had an answer."""
        return self.counts[0]

    @property
    def refused(self):
        """How many had another one."""
        return self.counts[1]

    def loop(self, name):
        """What one of them does."""
        while not self.over.is_set():
            for service in ("btrfs.Report", "btrfs.Check"):
                try:
                    call(self.path, service, source=name, target=self.target)
                    outcome = 0
                except (Refused, OSError):
                    outcome = 1
                with self.counts.get_lock():
                    self.counts[outcome] += 1

    def __enter__(self):
        for process in self.processes:
            process.start()
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self.over.set()
        for process in self.processes:
            process.join()


def seconds_of_reports(path, rounds):
    """The median time of dom0's own report."""
    found = []
    for _ in range(rounds):
        start = time.monotonic()
        call(path, "btrfs.Report")
        found.append(time.monotonic() - start)
    return statistics.median(found)


def reports(path, target):
    """dom0's report alone and beside the readers, in seconds, and what they were answered."""
    seconds_of_reports(path, 2)
    quiet = seconds_of_reports(path, QUIET_ROUNDS)
    with Readers(path, target) as readers:
        busy = seconds_of_reports(path, BUSY_ROUNDS)
    return {"quiet": round(quiet, 4), "busy": round(busy, 4), "times": round(busy / quiet, 2),
            "answered": readers.answered, "refused": readers.refused}
