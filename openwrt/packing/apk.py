"""Packages of apk-tools 3, as OpenWrt from 25.12 takes them: apk-package(5) in the container of `adb.py`."""

import hashlib
import struct

from . import adb
from .description import Description
from .keys import ApkKey
from .tree import Entry, installed_bytes

_SCHEMA = 0x676B_6370  # "pckg"
_UNIQUE_ID_BYTES = 20

_SCRIPTS = {"preinst": 2, "postinst": 3, "prerm": 4, "postrm": 5, "preupgrade": 6, "postupgrade": 7}


def pack(description: Description, entries: list[Entry], key: ApkKey | None) -> bytes:
    """The package, signed if there is a key; equal input gives equal bytes but for the signature."""
    folders = _folders(entries)
    values = adb.Values()
    unique_id = values.blob(bytes(_UNIQUE_ID_BYTES), alone=True)
    info = _info(values, description, entries, unique_id)
    scripts = {_SCRIPTS[name]: values.text(text) for name, text in sorted(description.scripts.items())}
    paths = [_folder(values, folder, files, description.built_at) for folder, files in folders]
    package = {1: info, 2: values.array(paths), 3: values.object(scripts)}
    tree = values.finish(values.object(package))
    # What tells this package from others is a hash of all that is said of it, with zeros in its own place.
    place = values.place_of_blob(unique_id)
    tree[place : place + _UNIQUE_ID_BYTES] = hashlib.sha256(tree).digest()[:_UNIQUE_ID_BYTES]
    parts = [adb.header(_SCHEMA), adb.block(adb.ADB_BLOCK, bytes(tree))]
    if key is not None:
        parts.append(adb.block(adb.SIGNATURE_BLOCK, _signature(bytes(tree), key)))
    for number, (_, files) in enumerate(folders, 1):
        for file_number, file in enumerate(files, 1):
            if file.data:
                place = struct.pack("<II", number, file_number)
                parts.append(adb.block(adb.DATA_BLOCK, place + file.data))
    return adb.compressed(b"".join(parts))


def _folders(entries: list[Entry]) -> list[tuple[Entry, list[Entry]]]:
    """Folders in the order of their paths, with their files in the order of names."""
    folders = {entry.path: (entry, []) for entry in entries if entry.is_folder}
    for entry in entries:
        if not entry.is_folder:
            folders[entry.path.rpartition("/")[0]][1].append(entry)
    ordered = sorted(folders.values(), key=lambda folder: folder[0].path.encode())
    return [(folder, sorted(files, key=_name)) for folder, files in ordered]


def _info(values: adb.Values, description: Description, entries: list[Entry], unique_id: int) -> int:
    depends = [values.object({1: values.text(name)}) for name in sorted(description.depends, key=str.encode)]
    return values.object(
        {
            1: values.text(description.name),
            2: values.text(description.full_version),
            3: unique_id,
            4: values.text(description.summary),
            # What is for every architecture has this name there.
            5: values.text("noarch" if description.architecture == "all" else description.architecture),
            6: values.text(description.license),
            7: values.text(description.name),
            8: values.text(description.maintainer),
            9: values.text(description.url),
            11: values.number(description.built_at),
            12: values.number(max(installed_bytes(entries), 1)),
            15: values.array(depends),
        }
    )


def _folder(values: adb.Values, folder: Entry, files: list[Entry], time: int) -> int:
    listed = [_file(values, file, time) for file in files]
    return values.object({1: values.text(folder.path), 2: _access(values, folder), 3: values.array(listed)})


def _file(values: adb.Values, file: Entry, time: int) -> int:
    fields = {1: values.blob(_name(file)), 2: _access(values, file), 4: values.number(time)}
    if file.data is not None:
        fields |= {3: values.number(len(file.data)), 5: values.blob(file.sha256)}
    else:
        fields |= {3: values.number(len(file.target)), 6: values.blob(_LINK + file.target.encode())}
    return values.object(fields)


def _access(values: adb.Values, entry: Entry) -> int:
    return values.object({1: values.number(entry.mode), 2: values.text("root"), 3: values.text("root")})


def _name(entry: Entry) -> bytes:
    return entry.path.rpartition("/")[2].encode()


def _signature(tree: bytes, key: ApkKey) -> bytes:
    """Version 0, over SHA-512: whoever checks it finds the key by its id."""
    head = struct.pack("<BB", 0, _SHA512) + key.id
    return head + key.sign(struct.pack("<I", _SCHEMA) + head + hashlib.sha512(tree).digest())


_SHA512 = 4
_LINK = struct.pack("<H", 0o120000)
