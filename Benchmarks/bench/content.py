# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in the images: this machine's packages, and data made from fixed seeds."""

import hashlib
import os
import pathlib
import random
import shutil
import stat

from .system import MEBIBYTE, run

# A package larger than this would be a template by itself.
PACKAGE_BYTES_AT_MOST = 90 * MEBIBYTE
PAGE_BYTES, PAGES_A_ROUND = 4096, 40
LISTS = pathlib.Path("/var/lib/dpkg/info")


class Package:
    """An installed Debian package: its files and links below /usr, and their size."""

    def __init__(self, name, paths, size_bytes):
        self.name, self.paths, self.size_bytes = name, paths, size_bytes

    @property
    def order(self):
        """Packages come in this order: fixed, and unlike that of their names."""
        return hashlib.blake2b(self.name.encode(), digest_size=8).digest()


def packages():
    """Every installed package that is neither empty nor too large, in their order."""
    found = []
    for listing in sorted(LISTS.glob("*.list")):
        paths, size = [], 0
        for path in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if not path.startswith("/usr/"):
                continue
            try:
                status = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                size += status.st_size
            elif not stat.S_ISLNK(status.st_mode):
                continue
            paths.append(path)
        if 0 < size <= PACKAGE_BYTES_AT_MOST:
            found.append(Package(listing.stem, paths, size))
    return sorted(found, key=lambda package: package.order)


def take(source, size_bytes):
    """The first packages of a list that fit the size, and the rest."""
    taken, rest, left = [], [], size_bytes
    for package in source:
        if package.size_bytes <= left:
            taken.append(package)
            left -= package.size_bytes
        else:
            rest.append(package)
    return taken, rest


def install(chosen, root):
    """Copies packages below another root."""
    for package in chosen:
        for path in package.paths:
            put(path, f"{root}{path}")


def install_one_by_one(chosen, root):
    """Installs packages into a mounted image as dpkg does: each is on disk before the next, so
    that an image has as many extents as one that grew."""
    for package in chosen:
        install([package], root)
        run("sync", "--file-system", root)


def put(source, target):
    """One file or link. Within one file system a second name will do, and is quick."""
    pathlib.Path(target).parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        return
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def sources(size_bytes, skip=0):
    """Text files of /usr/include and of Perl's and Python's libraries, as a checkout has them."""
    found, left = [], size_bytes
    for base in ("/usr/include", "/usr/share/perl", "/usr/lib/python3", "/usr/share/doc"):
        for folder, folders, names in os.walk(base):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                status = os.lstat(path)
                if not stat.S_ISREG(status.st_mode):
                    continue
                if skip > 0:
                    skip -= status.st_size
                    continue
                left -= status.st_size
                if left < 0:
                    return found
                found.append(path)
    return found


def checkout(paths, target):
    """Copies files below a folder of a user."""
    for path in paths:
        put(path, f"{target}{path}")


def photos(folder, size_bytes, seed):
    """Files of 1 to 5 MiB that do not compress; one seed always gives the same ones."""
    generator = random.Random(f"photos {seed}")
    os.makedirs(folder, exist_ok=True)
    number = 0
    while size_bytes > 0:
        length = generator.randrange(1 * MEBIBYTE, 5 * MEBIBYTE)
        with open(f"{folder}/{seed}-{number:04}.jpg", "wb") as file:
            file.write(generator.randbytes(min(length, size_bytes)))
        size_bytes -= length
        number += 1


def logs(folder, size_bytes, seed):
    """Lines that are much alike and never the same, in files of 8 MiB."""
    generator = random.Random(f"logs {seed}")
    units = ["kernel", "systemd", "sshd", "qrexec-agent", "cron", "NetworkManager", "dbus-daemon"]
    words = [f"{generator.getrandbits(40):x}" for _ in range(400)]
    os.makedirs(folder, exist_ok=True)
    second = number = 0
    while size_bytes > 0:
        lines, length = [], 0
        while length < min(8 * MEBIBYTE, size_bytes):
            second += generator.randrange(3)
            text = " ".join(generator.choices(words, k=generator.randrange(4, 12)))
            line = (
                f"Nov {1 + second // 86400 % 28:2} {second // 3600 % 24:02}:"
                f"{second // 60 % 60:02}:{second % 60:02} {seed} {generator.choice(units)}"
                f"[{generator.randrange(300, 9999)}]: {text}\n"
            )
            lines.append(line)
            length += len(line)
        with open(f"{folder}/syslog.{number}", "w", encoding="ascii") as file:
            file.writelines(lines)
        size_bytes -= length
        number += 1


def database(path, size_bytes, rounds, seed):
    """A file whose pages are written again here and there, as a browser's or a mailer's is."""
    generator = random.Random(f"database {seed}")
    pages = size_bytes // PAGE_BYTES
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            for number in range(pages):
                file.write(b"%016d" % number + b"row of a table " * 200 + generator.randbytes(1080))
    with open(path, "r+b") as file:
        for _ in range(rounds):
            for _ in range(PAGES_A_ROUND):
                file.seek(generator.randrange(pages) * PAGE_BYTES)
                file.write(generator.randbytes(generator.randrange(1, 4) * 1024))
            file.flush()
            os.fsync(file.fileno())


def zeroes(path, size_bytes):
    """A file of written zeroes, not of holes."""
    with open(path, "wb") as file:
        for _ in range(size_bytes // MEBIBYTE):
            file.write(bytes(MEBIBYTE))
