# SPDX-License-Identifier: GPL-2.0-or-later
"""Qubes that have lived: two roots that a package manager has worked in, and a private volume that
a browser has. Each session is a start and a stop, as the driver file-reflink makes them."""

import contextlib
import os
import pathlib
import random
import shutil
import time

from . import content
from .images import REVISION
from .system import MEBIBYTE, run

ROOTS = ("vm-templates/debian-12/root", "vm-templates/debian-12-clone/root")
PRIVATE = "appvms/work/private"
LAYOUT = ("-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0")
# How full a root is, and how much of it each session changes: an eighth goes, an eighth is renewed.
FULL, CHANGED_PARTS = 0.8, 8
# So many packages are on disk before the next.
BATCH = 16
CACHE_FILE_BYTES_AT_MOST, CACHE_GOES = 256 << 10, 0.8


def install(packages, mounted):
    """Copies packages as a package manager does, a few at a time."""
    for start in range(0, len(packages), BATCH):
        content.install(packages[start:start + BATCH], mounted)
        run("sync", "--file-system", mounted)


class Guests:
    """The qubes on a mounted disk. `discards`: their file systems have the option."""

    def __init__(self, disk, folder, discards):
        self.disk, self.folder = disk, pathlib.Path(folder)
        self.options = "loop,noatime," + ("discard" if discards else "nodiscard")

    def image(self, name, suffix=".img"):
        """One image of a volume."""
        return self.disk.qubes / f"{name}{suffix}"

    @contextlib.contextmanager
    def session(self, name):
        """The mounted file system of a qube from its start to its stop; what it was before is its
        one revision afterwards."""
        clean, live = self.image(name), self.image(name, "-dirty.img")
        run("cp", "--reflink=always", clean, live)
        self.folder.mkdir(parents=True, exist_ok=True)
        run("mount", "-o", self.options, live, self.folder)
        try:
            yield self.folder
        finally:
            run("umount", self.folder)
            # The loop device lets go of its file a moment later.
            while str(live) in run("losetup", "--list", "--noheadings", "--output", "BACK-FILE"):
                time.sleep(0.02)
        self.disk.sync()
        os.rename(clean, self.image(name, f".img.{REVISION}"))
        os.rename(live, clean)
        self.disk.sync()

    def format(self, name, size_bytes):
        """An empty file system."""
        target = self.image(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            file.truncate(size_bytes // MEBIBYTE * MEBIBYTE)
        run("mke2fs", *LAYOUT, target)

    def roots(self, size_bytes, sessions, seed):
        """A root that was installed, and a clone of it; updates come to both, apart."""
        packages = content.packages()
        random.Random(f"roots {seed}").shuffle(packages)
        chosen, rest = content.take(packages, int(size_bytes * FULL * 0.75))
        self.format(ROOTS[0], size_bytes)
        with self.session(ROOTS[0]) as mounted:
            install(chosen, mounted)
        clone = self.image(ROOTS[1])
        clone.parent.mkdir(parents=True)
        run("cp", "--reflink=always", self.image(ROOTS[0]), clone)
        for number, name in enumerate(ROOTS):
            generator = random.Random(f"updates {seed} {number}")
            there = list(chosen)
            for _ in range(sessions):
                with self.session(name) as mounted:
                    there, rest = self.update(mounted, there, rest, generator)

    @staticmethod
    def update(mounted, there, others, generator):
        """Some packages go, some come, some are written again; caches go last."""
        generator.shuffle(there)
        count = max(1, len(there) // CHANGED_PARTS)
        gone, upgraded, kept = there[:count], there[count:2 * count], there[count:]
        archives = mounted / "var/cache/apt/archives"
        content.photos(archives, sum(package.size_bytes for package in upgraded) // 3,
                       generator.random())
        # What an upgrade writes is near what it replaces: a few bytes more at its start.
        for package in upgraded:
            for path in package.paths:
                if os.path.islink(path) or not os.path.exists(f"{mounted}{path}"):
                    continue
                with open(path, "rb") as old, open(f"{mounted}{path}.new", "wb") as new:
                    new.write(b"%d\n" % generator.randrange(1000))
                    shutil.copyfileobj(old, new)
                os.rename(f"{mounted}{path}.new", f"{mounted}{path}")
        run("sync", "--file-system", mounted)
        for package in gone:
            for path in package.paths:
                if os.path.lexists(f"{mounted}{path}"):
                    os.unlink(f"{mounted}{path}")
        room = sum(package.size_bytes for package in gone)
        come, others = content.take(others, room)
        install(come, mounted)
        # apt cleans up at its end, and the qube is shut down.
        shutil.rmtree(archives)
        return kept + come, others + gone

    def private(self, size_bytes, sessions, seed):
        """Documents that stay, and a browser: a cache of small files of which most go, databases
        that are written in place, downloads that are looked at once."""
        self.format(PRIVATE, size_bytes)
        generator = random.Random(f"private {seed}")
        with self.session(PRIVATE) as mounted:
            content.photos(mounted / "home/user/photos", size_bytes // 8, seed)
            content.checkout(content.sources(size_bytes // 8), mounted / "home/user/src")
        for number in range(sessions):
            with self.session(PRIVATE) as mounted:
                self.browse(mounted, size_bytes // 6, generator, f"{seed}-{number}")

    @staticmethod
    def browse(mounted, size_bytes, generator, seed):
        """One session of it."""
        home = mounted / "home/user"
        cache = home / ".cache/browser/entries"
        cache.mkdir(parents=True, exist_ok=True)
        left = size_bytes
        while left > 0:
            length = generator.randrange(1, CACHE_FILE_BYTES_AT_MOST)
            # Half of what is fetched is packed already.
            data = generator.randbytes(length // 2) + b"<div class='entry'>" * (length // 38)
            (cache / f"{generator.getrandbits(64):016x}").write_bytes(data)
            left -= length
        content.database(home / ".mozilla/places.sqlite", size_bytes // 4, 20, seed)
        content.photos(home / "Downloads", size_bytes // 2, seed)
        run("sync", "--file-system", mounted)
        # What goes when the browser is closed, right before a shutdown.
        for name in sorted(os.listdir(cache)):
            if generator.random() < CACHE_GOES:
                os.unlink(cache / name)
        shutil.rmtree(home / "Downloads")


def fill_with_zeroes(mounted):
    """All free space, and away with it."""
    path = mounted / "zeroes"
    try:
        with open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(MEBIBYTE))
    except OSError:
        pass
    os.sync()
    path.unlink()
