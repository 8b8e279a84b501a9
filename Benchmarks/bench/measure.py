# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures what a program takes: time, CPU of its own and of the kernel, memory, space."""

import os
import pathlib
import signal
import subprocess
import threading
import time

from .system import drop_caches

TICKS = os.sysconf("SC_CLK_TCK")
KERNEL_THREAD = 0x00200000
IDLE_FIELDS = (3, 4)
# Guest time stands in user and nice already; stolen time was somebody else's.
COUNTED_FIELDS = 7
# A tool that takes longer is stopped, and the table says so.
RUN_SECONDS_AT_MOST = 1500
SPACE_EVERY_SECONDS = 0.25
BACKGROUND_SECONDS = 2
READINGS = 3


def busy_seconds():
    """CPU seconds that were not idle since the machine started, of everyone."""
    first = pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    return sum(int(field) for index, field in enumerate(first[:COUNTED_FIELDS])
               if index not in IDLE_FIELDS) / TICKS


def kernel_seconds():
    """CPU seconds of every kernel thread that lives, by process number."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[6]) & KERNEL_THREAD:
            found[entry.name] = (int(fields[11]) + int(fields[12])) / TICKS
    return found


def background_cores():
    """How many cores the machine keeps busy while nothing is measured."""
    before = busy_seconds()
    time.sleep(BACKGROUND_SECONDS)
    return round((busy_seconds() - before) / BACKGROUND_SECONDS, 2)


class SpaceWatch(threading.Thread):
    """The most space that was used at any moment it looked."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.peak_bytes, self.over = path, 0, threading.Event()

    def run(self):
        while not self.over.wait(SPACE_EVERY_SECONDS):
            figures = os.statvfs(self.path)
            used = (figures.f_blocks - figures.f_bfree) * figures.f_frsize
            self.peak_bytes = max(self.peak_bytes, used)


def children(process):
    """The processes that a process, any thread of it, has started, as far as they live."""
    try:
        texts = [(task / "children").read_text(encoding="ascii")
                 for task in pathlib.Path(f"/proc/{process}/task").iterdir()]
    except OSError:
        return []
    return [int(word) for text in texts for word in text.split()]


def child(process):
    """The first of them."""
    return children(process)[0]


def anonymous_bytes(process):
    """The memory of a process and of all below it that no file stands behind: the rest the kernel
    drops where it needs the room."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    own = next((int(line.split()[1]) * 1024 for line in status.splitlines()
                if line.startswith("RssAnon:")), 0)
    return own + sum(anonymous_bytes(below) for below in children(process))


class MemoryWatch(threading.Thread):
    """The most such memory at any moment it looked."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.peak_bytes, self.over = process, 0, threading.Event()

    def run(self):
        while not self.over.wait(SPACE_EVERY_SECONDS):
            self.peak_bytes = max(self.peak_bytes, anonymous_bytes(self.process))


class Timed:
    """A program under /usr/bin/time: its own and its children's CPU and largest memory.

    The peak comes from the kernel's ru_maxrss, taken by a parent that is itself tiny: a child that
    a large program forks would inherit that one's peak.
    """

    alive = set()

    def __init__(self, command, log, **options):
        self.notes = pathlib.Path(f"{log}.time")
        self.log = open(log, "wb")
        words = ["/usr/bin/time", "-q", "-f", "%M %U %S", "-o", self.notes, "--", *command]
        self.process = subprocess.Popen(
            [str(word) for word in words], stdin=subprocess.DEVNULL, stderr=self.log,
            stdout=options.pop("stdout", self.log), start_new_session=True, **options)
        Timed.alive.add(self)

    def child(self):
        """The program's own process number."""
        return child(self.process.pid)

    def wait(self, seconds=RUN_SECONDS_AT_MOST):
        """Waits for the end; too late is stopped. Gives the status, or "stopped"."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(self.child(), signal.SIGKILL)
            self.process.wait()
            status = "stopped"
        self.log.close()
        Timed.alive.discard(self)
        return status

    @classmethod
    def end_all(cls):
        """Ends what still runs when the bench itself is ended: no program may keep a mount."""
        for timed in list(cls.alive):
            os.killpg(timed.process.pid, signal.SIGKILL)
            timed.process.wait()
            cls.alive.discard(timed)

    def figures(self):
        """CPU seconds and peak memory, after the end."""
        last = self.notes.read_text(encoding="ascii").splitlines()[-1].split()
        return {"peakBytes": int(last[0]) * 1024,
                "processSeconds": round(float(last[1]) + float(last[2]), 2)}


def read_in_order(disk):
    """The seconds that reading every image once takes, from start to end, cold; the best of
    three, for other guests of the same machine make it slower and nobody makes it faster."""
    return min(read_once(disk) for _ in range(READINGS))


def read_once(disk):
    """One such reading."""
    drop_caches()
    start, buffer = time.monotonic(), bytearray(1 << 20)
    for image in disk.images():
        with open(image, "rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
    return round(time.monotonic() - start, 2)


def measured(disk, body):
    """Runs `body` with cold caches, and waits for one sync of the file system: no tool may leave
    its writing to the next one. `body` gives the tool's own figures."""
    kernel_before = kernel_seconds()
    watch = SpaceWatch(disk.mount_point)
    watch.start()
    busy_before, start = busy_seconds(), time.monotonic()
    figures = body()
    ended = time.monotonic()
    disk.sync()
    wall, busy = time.monotonic() - start, busy_seconds() - busy_before
    watch.over.set()
    watch.join()
    kernel = sum(seconds - kernel_before.get(number, 0)
                 for number, seconds in kernel_seconds().items())
    return figures | {"wallSeconds": round(wall, 2), "endedSeconds": round(ended - start, 2),
                      "allSeconds": round(busy, 2), "kernelSeconds": round(max(kernel, 0), 2),
                      "peakUsedBytes": watch.peak_bytes}
