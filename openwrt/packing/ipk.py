"""Packages of opkg, as OpenWrt up to 24.10 takes them.

    tar.gz
      ./debian-binary      "2.0"
      ./data.tar.gz        the files
      ./control.tar.gz     ./control, ./conffiles and scripts

The package itself has no signature: opkg trusts a signed list of packages (`index.py`).
"""

import gzip
import io
import tarfile

from .description import Description
from .tree import Entry, installed_bytes


def pack(description: Description, entries: list[Entry]) -> bytes:
    """The package; equal input gives equal bytes."""
    time = description.built_at
    data = _tar([_member(f"./{entry.path}", entry, time) for entry in entries])
    control = _tar(
        [_member("./", Entry("", 0o755, None, None), time)]
        + [_text(f"./{name}", text, mode, time) for name, text, mode in _control(description, entries)]
    )
    return _tar(
        [
            _text("./debian-binary", b"2.0\n", 0o644, time),
            _text("./data.tar.gz", data, 0o644, time),
            _text("./control.tar.gz", control, 0o644, time),
        ]
    )


def control(description: Description, entries: list[Entry]) -> str:
    """The fields that opkg reads, one line each."""
    fields = {
        "Package": description.name,
        "Version": description.full_version,
        "Depends": ", ".join(description.depends),
        "Source": description.url,
        "SourceName": description.name,
        "License": description.license,
        "Section": description.section,
        "Require-User": description.user or "",
        "SourceDateEpoch": str(description.built_at),
        "Maintainer": description.maintainer,
        "Architecture": description.architecture,
        "Installed-Size": str(installed_bytes(entries)),
        "Description": description.summary,
    }
    for name, value in fields.items():
        if "\n" in value:
            raise ValueError(f"{name} has more than one line")
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def _control(description: Description, entries: list[Entry]) -> list[tuple[str, bytes, int]]:
    files = [("control", control(description, entries).encode(), 0o644)]
    if description.configuration:
        files.append(("conffiles", "".join(f"{path}\n" for path in description.configuration).encode(), 0o644))
    files.extend((name, text.encode(), 0o755) for name, text in sorted(description.scripts.items()))
    return files


def _text(name: str, data: bytes, mode: int, time: int) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, Entry("", mode, data, None), time)


def _member(name: str, entry: Entry, time: int) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.uname, info.gname = entry.mode, time, "root", "root"
    if entry.is_folder:
        info.type = tarfile.DIRTYPE
    elif entry.target is not None:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    info.size = len(entry.data or b"")
    return info, entry.data or b""


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    # Without a time of its own, so that equal input gives equal bytes.
    return gzip.compress(archive.getvalue(), compresslevel=9, mtime=0)
