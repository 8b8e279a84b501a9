# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls the service as dom0's client does, without starting a program for each call."""

import json
import os
import pathlib
import socket
import time

TICKS = os.sysconf("SC_CLK_TCK")


class Refused(Exception):
    """The service's exception."""


def call(path, service, argument="", payload=None, source="dom0", target="dom0"):
    """One call, about the machine if nothing else is said; gives the reply's object."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.fspath(path))
        header = f"{service}+{argument} {source} name {target}\0".encode()
        connection.sendall(header + json.dumps({"version": 1} | (payload or {})).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    if not answer.startswith(b"0\0"):
        raise Refused(answer.decode(errors="replace").replace("\0", " "))
    return json.loads(answer[2:])


class Job:
    """A job of the service, and its worker."""

    def __init__(self, service, operation, payload=None):
        self.socket, self.daemon = service.socket, service.daemon.child()
        self.number = call(self.socket, f"btrfs.{operation}", payload=payload)["job"]

    def record(self):
        """How it stands now."""
        jobs = call(self.socket, "btrfs.job.List")["jobs"]
        return next(job for job in jobs if job["job"] == self.number)

    def say(self, word):
        """Cancels, pauses or resumes it."""
        return call(self.socket, f"btrfs.job.{word}", self.number)

    def end(self):
        """Cancels it, if it is not over, and waits for its end."""
        try:
            self.say("Cancel")
        except Refused:
            pass
        self.wait()

    def is_over(self):
        """Whether it has ended."""
        return self.record()["state"] not in ("queued", "running", "paused")

    def wait(self):
        """Waits for its end; gives its record."""
        while not self.is_over():
            time.sleep(0.01)
        return self.record()

    def reach(self, stage):
        """Waits for a stage. False when the job is over, or beyond it, before it was seen."""
        order = ["survey", "fingerprint", "match", "plan", "sample", "execute", "account"]
        while True:
            record = self.record()
            now = (record.get("progress") or {}).get("stage")
            if now == stage and record["state"] == "running":
                return True
            is_beyond = now is not None and order.index(now) > order.index(stage)
            if is_beyond or record["state"] not in ("queued", "running"):
                return False
            time.sleep(0.002)

    def worker(self):
        """The process of the one worker."""
        tasks = pathlib.Path(f"/proc/{self.daemon}/task")
        for task in tasks.iterdir():
            for child in (task / "children").read_text(encoding="ascii").split():
                return int(child)
        return None

    def cpu_seconds(self):
        """What the worker has used so far, all threads; nil when it is gone."""
        try:
            text = pathlib.Path(f"/proc/{self.worker()}/stat").read_text(encoding="ascii")
        except OSError:
            return None
        fields = text.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
