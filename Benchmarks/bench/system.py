# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs, mounts and a Btrfs in a file."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

MEBIBYTE = 1 << 20
# After a tool has ended, Btrfs still works off what it left. Its figure counts when it has been
# the same for this many readings, one a second, and no longer than this is waited for.
STABLE_READINGS = 3
STABLE_SECONDS_AT_MOST = 90


def say(text):
    """A line for who watches, at once."""
    print(text, file=sys.stderr, flush=True)


def run(*command, **options):
    """Runs a program to its end and gives its output; its failure is ours."""
    words = [str(word) for word in command]
    result = subprocess.run(words, text=True, capture_output=True, check=False, **options)
    if result.returncode != 0:
        what = " ".join(words)
        raise SystemExit(f"{what}: status {result.returncode}: {result.stderr.strip()[-800:]}")
    return result.stdout


def drop_caches():
    """Nothing stays in memory of what was read from disk."""
    os.sync()
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")


class Disk:
    """A Btrfs in a file, attached to a loop device of its own and mounted while in `with`."""

    def __init__(self, image, mount_point):
        self.image = pathlib.Path(image)
        self.mount_point = pathlib.Path(mount_point)
        self.device = None
        self.is_direct = False

    @property
    def qubes(self):
        """Where dom0 has /var/lib/qubes."""
        return self.mount_point / "var/lib/qubes"

    def format(self, size_bytes):
        """An empty file system in a sparse file."""
        self.image.unlink(missing_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(size_bytes)
        run("mkfs.btrfs", "-q", "-L", "qubes_dom0", self.image)

    def restore(self, pristine):
        """Makes the file anew as a copy of another, holes included."""
        self.image.unlink(missing_ok=True)
        run("cp", "--sparse=always", pristine, self.image)
        os.sync()

    def __enter__(self):
        self.mount_point.mkdir(parents=True, exist_ok=True)
        attach = ["losetup", "--find", "--show"]
        try:
            # Direct: the backing file is not cached a second time, so that cold is cold.
            self.device = run(*attach, "--direct-io=on", self.image).strip()
            self.is_direct = True
        except SystemExit:
            self.device = run(*attach, self.image).strip()
        try:
            run("mount", "-o", "noatime", self.device, self.mount_point)
        except SystemExit:
            run("losetup", "--detach", self.device)
            raise
        return self

    def __exit__(self, *_):
        for _ in range(20):
            done = subprocess.run(["umount", self.mount_point], capture_output=True, check=False)
            if done.returncode == 0:
                break
            time.sleep(0.5)
        else:
            run("umount", "--lazy", self.mount_point)
        run("losetup", "--detach", self.device)

    def sync(self):
        """Commits what is under way."""
        run("btrfs", "filesystem", "sync", self.mount_point)

    def used(self):
        """The file system's own count: bytes of data and of metadata, mirrors counted once."""
        figures = {}
        for line in run("btrfs", "filesystem", "df", "--raw", self.mount_point).splitlines():
            kind = line.split(",")[0]
            if kind in ("Data", "Metadata"):
                used = int(line.rsplit("used=", 1)[1])
                figures[kind] = figures.get(kind, 0) + used
        status = os.statvfs(self.mount_point)
        return {"dataBytes": figures["Data"], "metadataBytes": figures["Metadata"],
                "usedBytes": (status.f_blocks - status.f_bfree) * status.f_frsize}

    def settled(self):
        """The count once nothing moves any more, and the seconds that took."""
        start, same, last = time.monotonic(), 0, None
        while same < STABLE_READINGS and time.monotonic() - start < STABLE_SECONDS_AT_MOST:
            self.sync()
            figures = self.used()
            same = same + 1 if figures == last else 1
            last = figures
            if same < STABLE_READINGS:
                time.sleep(1)
        return last | {"settleSeconds": round(time.monotonic() - start, 2)}

    def layout(self):
        """By compsize: how many extents the images have, how often they are referenced, and how
        much of what is referenced is on disk. It shows whether sharing is still there."""
        text = run("compsize", "--bytes", self.qubes)
        found = re.search(r"(\d+) regular extents \((\d+) refs\)", text)
        total = re.search(r"^TOTAL\s+\S+\s+(\d+)\s+(\d+)\s+(\d+)", text, re.MULTILINE)
        return {"extents": int(found[1]), "references": int(found[2]),
                "diskBytes": int(total[1]), "plainBytes": int(total[2]),
                "referencedBytes": int(total[3])}

    def images(self):
        """Every image file, in the order of their names."""
        return sorted(path for path in self.qubes.rglob("*.img*") if path.is_file())


class Mounted:
    """An ext4 image mounted through a loop device, as a qube has it."""

    def __init__(self, image, mount_point):
        self.image, self.mount_point = image, pathlib.Path(mount_point)

    def __enter__(self):
        self.mount_point.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", "loop", self.image, self.mount_point)
        return self.mount_point

    def __exit__(self, *_):
        run("umount", self.mount_point)


def emptied(folder):
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    pathlib.Path(folder).mkdir(parents=True)
    return pathlib.Path(folder)
