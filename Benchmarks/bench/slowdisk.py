# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups that make a disk slow, and that tell who of two waits for it."""

import os
import pathlib
import subprocess

from .system import run


def mounted(kind, option=""):
    """Where a hierarchy of control groups is mounted; None where it is not."""
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, place, found, options = line.split()[:4]
        if found == kind and (not option or option in options.split(",")):
            return pathlib.Path(place)
    return None


def is_available():
    """Whether this kernel can limit reads, and has PSI for each group."""
    unified = mounted("cgroup2")
    return bool(unified and (unified / "io.pressure").exists() and mounted("cgroup", "blkio"))


class SlowDisk:
    """Two groups that are neighbours in the unified hierarchy, `reader` and `job`, and one limit on
    what all of them read from one device."""

    def __init__(self, disk, bytes_per_second):
        name = f"qubes-btrfs-bench-{os.getpid()}"
        self.unified = mounted("cgroup2")
        self.blocks = mounted("cgroup", "blkio") / name
        self.groups = {part: self.unified / f"{name}-{part}" for part in ("reader", "job")}
        number = run("lsblk", "-d", "-n", "-o", "MAJ:MIN", disk.device).strip()
        self.rule = f"{number} {bytes_per_second}\n"

    def __enter__(self):
        for folder in (self.blocks, *self.groups.values()):
            folder.mkdir()
        (self.blocks / "blkio.throttle.read_bps_device").write_text(self.rule, encoding="ascii")
        return self

    def __exit__(self, *_):
        for folder in (self.blocks, *self.groups.values()):
            subprocess.run(["rmdir", folder], capture_output=True, check=False)

    def put(self, part, process):
        """Puts a process, and all that it starts, into a group."""
        for folder in (self.groups[part], self.blocks):
            (folder / "cgroup.procs").write_text(f"{process}\n", encoding="ascii")
