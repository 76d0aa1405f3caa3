"""What goes into a package: files, folders and links, all of root's, with modes and one time for all of them."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """A file, folder or symbolic link below the root of the device."""

    path: str
    """From the root, without a slash in front; empty for the root itself."""
    mode: int
    """Permissions, the lower twelve bits."""
    data: bytes | None
    """What is in a file; none for what is no file."""
    target: str | None
    """Where a link leads; none for what is no link."""

    @property
    def is_folder(self) -> bool:
        return self.data is None and self.target is None

    @property
    def sha256(self) -> bytes:
        """Of a file, 32 bytes."""
        return hashlib.sha256(self.data).digest()


def read_tree(root: Path) -> list[Entry]:
    """Everything below a folder in the order of paths, each folder before what is in it."""
    entries = []
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(links))
        path = Path(folder).relative_to(root)
        entries.append(_entry(root, "" if path == Path() else str(path)))
        entries.extend(_entry(root, str(path / name)) for name in files + links)
    return sorted(entries, key=lambda entry: entry.path.encode())


def installed_bytes(entries: list[Entry]) -> int:
    """Bytes of all files."""
    return sum(len(entry.data) for entry in entries if entry.data is not None)


def _entry(root: Path, path: str) -> Entry:
    place = root / path
    status = place.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Entry(path, 0o777, None, os.readlink(place))
    # Not more than execution is taken over from whoever checks the tree out.
    is_program = bool(status.st_mode & stat.S_IXUSR)
    if stat.S_ISDIR(status.st_mode):
        return Entry(path, 0o755, None, None)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{place} is no file, folder or link")
    return Entry(path, 0o755 if is_program else 0o644, place.read_bytes(), None)
