# SPDX-License-Identifier: GPL-2.0-or-later
"""Lays out /var/lib/qubes as the driver file-reflink does, and says which files changed when.

Four templates (one with an update, a revision and a precache; a clone of it edited; the same
packages installed a second time into an ext4 of another layout; the next release), and seven app
qubes (documents, photos, sources, logs, mail; revisions, a precache, a clone, a backup restored
without sharing; written zeroes, holes and preallocated ranges).
"""

import os
import shutil
import time

from . import content
from .system import MEBIBYTE, Disk, Mounted, drop_caches, emptied, run, say

# Changes whenever the set does: a pristine file with another number is built anew.
VERSION = 4
SCALES = {"small": 0.15, "default": 1.0, "large": 3.0}
DISK_BYTES = {"small": 6 << 30, "default": 20 << 30, "large": 48 << 30}
# Only here can a clock get into the set: ext4 keeps time stamps.
ENVIRONMENT = os.environ | {"E2FSPROGS_FAKE_TIME": "1790000000"}
LAYOUT = ["-b", "4096", "-i", "8192", "-J", "size=8", "-E",
          "hash_seed=5a3b2c1d-0000-4000-8000-000000000001"]
OTHER_LAYOUT = ["-b", "4096", "-i", "6144", "-I", "128", "-g", "16384",
                "-O", "^has_journal,^resize_inode", "-E", "hash_seed=5a3b2c1d-0000-4000-8000-000000000002"]
GROUP = "everything"
REVISION = "1@2026-11-01T08:00:00Z"


class Builder:
    """Builds the set of one size on a mounted Btrfs."""

    def __init__(self, disk, scratch, size):
        self.disk, self.qubes, self.scale = disk, disk.qubes, SCALES[size]
        self.tree, self.edit = scratch / "tree", scratch / "edit"

    def bytes(self, mebibytes):
        """A size of the default set, at this scale."""
        return max(int(mebibytes * self.scale), 1) * MEBIBYTE

    def image(self, name, room_mebibytes, layout=None):
        """An ext4 image of the tree, with room for what is written into it later, which is of
        the default set's size."""
        target = self.qubes / name
        target.parent.mkdir(parents=True, exist_ok=True)
        content_bytes = 1024 * int(run("du", "-sk", self.tree).split()[0])
        size = int(content_bytes * 1.3) + self.bytes(room_mebibytes) + 96 * MEBIBYTE
        with open(target, "wb") as file:
            file.truncate(size // MEBIBYTE * MEBIBYTE)
        run("mke2fs", "-q", "-F", "-t", "ext4", *(layout or LAYOUT), "-d", self.tree, target,
            env=ENVIRONMENT)
        emptied(self.tree)
        self.disk.sync()
        return target

    def root(self, name, chosen, room_mebibytes, layout=None):
        """A template's root: a base as an installer writes it, then packages one by one."""
        base = len(chosen) // 4
        content.install(chosen[:base], emptied(self.tree))
        later = sum(package.size_bytes for package in chosen[base:]) * 1.4 / MEBIBYTE / self.scale
        image = self.image(name, room_mebibytes + later, layout)
        with Mounted(image, self.edit) as mounted:
            content.install_one_by_one(chosen[base:], mounted)
        return image

    def reflink(self, source, name):
        """A copy that shares every block."""
        target = self.qubes / name
        target.parent.mkdir(parents=True, exist_ok=True)
        run("cp", "--reflink=always", source, target)
        return target

    def templates(self):
        """Roots of templates."""
        pool = content.packages()
        first, rest = content.take(pool, self.bytes(480))
        update, rest = content.take(rest, self.bytes(50))
        office, rest = content.take(rest, self.bytes(110))
        later, _ = content.take(rest, self.bytes(190))
        say("  template debian-12, with an update, a revision and a precache")
        root = self.root("vm-templates/debian-12/root.img", first, 220)
        self.reflink(root, f"vm-templates/debian-12/root.img.{REVISION}")
        with Mounted(root, self.edit) as mounted:
            content.install_one_by_one(update, mounted)
            self.upgrade(mounted, first[:: 12])
        self.reflink(root, "vm-templates/debian-12/root-precache.img")
        say("  template debian-12-office, a clone with more packages")
        clone = self.reflink(root, "vm-templates/debian-12-office/root.img")
        with Mounted(clone, self.edit) as mounted:
            content.install_one_by_one(office, mounted)
            for package in first[:: 25]:
                self.remove(mounted, package)
        say("  template debian-12-again, the same packages installed a second time")
        again = sorted(first + update, key=lambda package: package.name)
        self.root("vm-templates/debian-12-again/root.img", again, 60, OTHER_LAYOUT)
        say("  template debian-13, the next release")
        kept, _ = content.take(reversed(first), self.bytes(280))
        self.root("vm-templates/debian-13/root.img", kept + later, 60)

    @staticmethod
    def remove(mounted, package):
        """What is removed leaves its old blocks in the image, as it does without a trim."""
        for path in package.paths:
            if os.path.lexists(f"{mounted}{path}"):
                os.unlink(f"{mounted}{path}")

    @staticmethod
    def upgrade(mounted, chosen):
        """Writes packages again, each file with some bytes more at its start."""
        for package in chosen:
            for path in package.paths:
                if os.path.islink(path):
                    continue
                with open(path, "rb") as old, open(f"{mounted}{path}.new", "wb") as new:
                    new.write(b"upgraded\n")
                    shutil.copyfileobj(old, new)
                os.rename(f"{mounted}{path}.new", f"{mounted}{path}")

    def work(self):
        """A qube with a revision, a precache, a clone, and a backup restored without sharing."""
        say("  app qubes work, work-clone, work-restored")
        home = emptied(self.tree) / "home/user"
        content.checkout(content.sources(self.bytes(70)), home / "src")
        content.photos(home / "attachments", self.bytes(50), "shared")
        content.logs(home / "logs", self.bytes(40), "work")
        private = self.image("appvms/work/private.img", 200)
        self.reflink(private, f"appvms/work/private.img.{REVISION}")
        restored = self.qubes / "appvms/work-restored/private.img"
        restored.parent.mkdir()
        run("cp", "--reflink=never", "--sparse=always", private, restored)
        for day in range(3):
            self.session(private, f"work-{day}", 9)
        self.reflink(private, "appvms/work/private-precache.img")
        clone = self.reflink(private, "appvms/work-clone/private.img")
        self.session(clone, "clone", 15)
        self.session(restored, "restored", 10)

    def session(self, image, seed, mebibytes):
        """What a qube does between two starts."""
        with Mounted(image, self.edit) as mounted:
            content.photos(mounted / "home/user/new", self.bytes(mebibytes) // 2, seed)
            content.logs(mounted / "home/user/logs-new", self.bytes(mebibytes) // 2, seed)
            content.database(mounted / "home/user/places.sqlite", self.bytes(16), 25, seed)

    def others(self):
        """Qubes of photos, of sources, of mail."""
        say("  app qubes personal, dev, mail")
        home = emptied(self.tree) / "home/user"
        content.photos(home / "photos", self.bytes(130), "personal")
        content.photos(home / "from-work", self.bytes(50), "shared")
        content.photos(home / "backup-of-photos", self.bytes(60), "personal")
        private = self.image("appvms/personal/private.img", 100)
        self.reflink(private, f"appvms/personal/private.img.{REVISION}")
        self.session(private, "personal", 15)
        home = emptied(self.tree) / "home/user"
        paths = content.sources(self.bytes(110))
        content.checkout(paths, home / "project")
        content.checkout(paths, home / "project-branch")
        content.checkout(content.sources(self.bytes(40), skip=self.bytes(110)), home / "other")
        self.image("appvms/dev/private.img", 40)
        home = emptied(self.tree) / "home/user"
        content.logs(home / "mail", self.bytes(60), "mail")
        content.photos(home / "attachments", self.bytes(50), "shared")
        self.image("appvms/mail/private.img", 40)

    def storage(self):
        """Zeroes that were written, a hole, and a range that is allocated and never written."""
        say("  app qube storage")
        home = emptied(self.tree) / "home/user"
        content.photos(home / "photos", self.bytes(20), "storage")
        image = self.image("appvms/storage/private.img", 400)
        with Mounted(image, self.edit) as mounted:
            content.zeroes(mounted / "home/user/empty-disk.raw", self.bytes(130))
        size = image.stat().st_size
        with open(image, "r+b") as file:
            file.truncate(size + self.bytes(200))
        run("fallocate", "--offset", size, "--length", self.bytes(40), image)

    def build(self):
        """Everything."""
        self.qubes.mkdir(parents=True)
        self.templates()
        self.work()
        self.others()
        self.storage()


def volume(name, identifier, source=None):
    """A volume of the pool."""
    kept = 'snap_on_start="False" save_on_stop="True"'
    if source:
        kept = f'snap_on_start="True" save_on_stop="False" source="{source}"'
    return (f'        <volume name="{name}" pool="varlibqubes" vid="{identifier}" rw="True" '
            f'size="2147483648" revisions_to_keep="1" {kept}/>\n')


def domain(number, kind, name, volumes):
    """A qube."""
    return (f'    <domain id="domain-{number}" class="{kind}">\n'
            f'      <properties><property name="name">{name}</property></properties>\n'
            f"      <features/><tags/>\n      <volume-config>\n{''.join(volumes)}"
            "      </volume-config>\n    </domain>\n")


def qubes_xml(qubes):
    """All qubes in one dedupe group: the tools beside us know no groups, and the task is one."""
    members = " ".join(sorted(folder.name for kind in ("vm-templates", "appvms")
                              for folder in (qubes / kind).iterdir()))
    # The second feature says the same to builds before 2026-11, for `scripts/bench-versions`.
    domains = [f'    <domain id="domain-0" class="AdminVM"><properties/><features>'
               f'<feature name="btrfs.dedupe-group">{GROUP}</feature>'
               f'<feature name="btrfs.dedupe-group.{GROUP}">{members}</feature></features>'
               '<tags/></domain>\n']
    for folder in sorted((qubes / "vm-templates").iterdir()):
        root = volume("root", f"vm-templates/{folder.name}/root")
        domains.append(domain(len(domains), "TemplateVM", folder.name, [root]))
    for folder in sorted((qubes / "appvms").iterdir()):
        domains.append(domain(len(domains), "AppVM", folder.name, [
            volume("root", f"appvms/{folder.name}/root", "vm-templates/debian-12/root"),
            volume("private", f"appvms/{folder.name}/private")]))
    pool = (f'    <pool name="varlibqubes" dir_path="{qubes}" driver="file-reflink" '
            'revisions_to_keep="1"/>\n')
    return (f"<qubes>\n  <labels/>\n  <pools>\n{pool}  </pools>\n  <properties/>\n  <domains>\n"
            f"{''.join(domains)}  </domains>\n</qubes>\n")


def build(image, mount_point, scratch, size):
    """The pristine file."""
    disk = Disk(image, mount_point)
    disk.format(DISK_BYTES[size])
    with disk:
        Builder(disk, scratch, size).build()
        disk.settled()


def fill(disk, size_bytes):
    """Writes zeroes, and one block again and again, behind every image that a qube starts from.
    Gives how much it has written, and the seconds that reading all of it takes, cold."""
    grown = [image for image in disk.images() if image.name in ("root.img", "private.img")]
    half = size_bytes // 2 // MEBIBYTE
    block = (b"one block, everywhere " * 190)[:4096]
    starts = []
    for image in grown:
        with open(image, "ab") as file:
            starts.append(file.tell())
            for piece in (bytes(MEBIBYTE), block * 256):
                for _ in range(half):
                    file.write(piece)
    disk.sync()
    drop_caches()
    before = time.monotonic()
    for image, start in zip(grown, starts):
        with open(image, "rb", buffering=0) as file:
            file.seek(start)
            while file.read(16 * MEBIBYTE):
                pass
    seconds = round(time.monotonic() - before, 2)
    return {"bytes": 2 * half * MEBIBYTE * len(grown), "readSeconds": seconds}


def change(disk, scratch, size_bytes):
    """A session of the qube mail: half of what it writes is new, half stands in a template."""
    image = disk.qubes / "appvms/mail/private.img"
    with Mounted(image, scratch / "edit") as mounted:
        content.photos(mounted / "home/user/received", size_bytes // 2, "third run")
        known, _ = content.take(content.packages(), size_bytes // 2)
        content.install(known, mounted / "home/user/unpacked")
    disk.sync()
    return image
