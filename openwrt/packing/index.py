"""The list of the .ipk in a folder, as opkg fetches it: `Packages`, `Packages.gz` and, with a key, `Packages.sig`."""

import gzip
import hashlib
from pathlib import Path

from .keys import UsignKey


def write_index(folder: Path, packages: list[tuple[str, str, bytes]], key: UsignKey | None) -> None:
    """`packages` are names of files, what their control files say, and their contents."""
    text = "\n".join(_listed(name, control, package) for name, control, package in sorted(packages)).encode()
    (folder / "Packages").write_bytes(text)
    (folder / "Packages.gz").write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
    signature = folder / "Packages.sig"
    signature.unlink(missing_ok=True)
    if key is not None:
        signature.write_bytes(key.sign(text))


def _listed(name: str, control: str, package: bytes) -> str:
    *fields, description = control.splitlines()
    fields += [f"Filename: {name}", f"Size: {len(package)}", f"SHA256sum: {hashlib.sha256(package).hexdigest()}"]
    return "".join(f"{line}\n" for line in [*fields, description])
