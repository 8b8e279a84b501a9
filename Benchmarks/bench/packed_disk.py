# SPDX-License-Identifier: GPL-2.0-or-later
"""Lays out a disk that was optimized long ago: hundreds of GiB of packed content, in minutes.

Each image has a revision that shares all of it, every third a clone that does; one frame of 128
KiB in twenty holds what another holds and does not share it. A week changes one frame in two
hundred, as the driver file-reflink does it: of every fourth qube the image becomes a revision, and
a clone of it, in which runs of 2.5 MiB were written anew, its image.
"""

import concurrent.futures
import os
import subprocess

from .images import REVISION
from .system import run, say

GIBIBYTE = 1 << 30
FRAMES_A_GIBIBYTE = GIBIBYTE // (128 << 10)
IMAGE_GIBIBYTES = 10
TEMPLATE_EVERY, CLONE_EVERY, WEEKLY_EVERY = 5, 3, 4
# Of all frames one in so many changes in a week; those of one run lie side by side.
CHANGED_ONE_IN, RUN_FRAMES = 200, 20
WRITERS = 2


class PackedDisk:
    """The images of one disk, all by their numbers."""

    def __init__(self, disk, frames, gibibytes):
        self.disk, self.frames, self.gibibytes = disk, frames, gibibytes

    @property
    def count(self):
        """How many images there are, without clones and revisions."""
        return self.gibibytes // IMAGE_GIBIBYTES

    def path(self, index, is_clone=False):
        """An image, or the clone of one."""
        kind = ("vm-templates", "root") if index % TEMPLATE_EVERY == 0 else ("appvms", "private")
        folder = f"qube-{index:03}{'-clone' if is_clone else ''}"
        return self.disk.qubes / kind[0] / folder / f"{kind[1]}.img"

    def build(self):
        """Writes all of it."""
        paths = [self.path(index) for index in range(self.count)]
        for path in paths:
            path.parent.mkdir(parents=True)
            path.touch()
        image_frames = IMAGE_GIBIBYTES * FRAMES_A_GIBIBYTE
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for path in pool.map(lambda index: self.write(
                    paths[index], [("packed", 0, image_frames, index * image_frames, 0)]),
                    range(self.count)):
                say(f"  {path.parent.name}")
        for index, path in enumerate(paths):
            self.reflink(path, path.with_name(f"{path.name}.{REVISION}"))
            if index % CLONE_EVERY == 0:
                self.reflink(path, self.path(index, is_clone=True))

    def write(self, path, lines):
        """Writes frames to one file, and gives its path."""
        text = "".join(" ".join(str(word) for word in line) + "\n" for line in lines)
        subprocess.run([self.frames, path], input=text, text=True, check=True)
        return path

    @staticmethod
    def reflink(source, target):
        """A copy that shares all of it."""
        target.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--reflink=always", source, target)

    def week(self, number, kind):
        """What a week changes; gives how many frames."""
        image_frames = IMAGE_GIBIBYTES * FRAMES_A_GIBIBYTE
        used = range(number % min(WEEKLY_EVERY, self.count), self.count, WEEKLY_EVERY)
        runs = self.count * image_frames // CHANGED_ONE_IN // RUN_FRAMES // len(used)
        step = image_frames // runs // RUN_FRAMES * RUN_FRAMES
        for index in used:
            path = self.path(index)
            revision = path.with_name(f"{path.name}.{REVISION}")
            revision.unlink()
            os.rename(path, revision)
            self.reflink(revision, path)
            self.write(path, [(kind, place * step, RUN_FRAMES,
                               index * image_frames + place * step, number)
                              for place in range(runs)])
        self.disk.sync()
        return len(used) * runs * RUN_FRAMES
