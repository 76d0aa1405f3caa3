"""Packs one package: python3 -m packing NAME --program FILE --root FOLDER --out FOLDER --architecture NAME --version X.Y.Z

QPQ_APK_KEY may name a private key in PEM, and the .apk is signed with it; QPQ_USIGN_KEY a secret key of usign, and the
list of the .ipk is. Prints `kind bytes name` for each package.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from . import apk, device, index, ipk
from .description import Description
from .keys import ApkKey, UnusableKey, UsignKey
from .layout import lay_out, packages
from .tree import read_tree


def main() -> None:
    arguments = _arguments()
    try:
        for kind, path in _pack(arguments):
            print(kind, path.stat().st_size, path.name)
    except (UnusableKey, OSError, ValueError) as error:
        sys.exit(f"{arguments.name} cannot be packed: {error}")


def _pack(arguments: argparse.Namespace) -> Iterator[tuple[str, Path]]:
    apk_key = ApkKey(Path(os.environ["QPQ_APK_KEY"])) if "QPQ_APK_KEY" in os.environ else None
    usign_key = UsignKey(Path(os.environ["QPQ_USIGN_KEY"])) if "QPQ_USIGN_KEY" in os.environ else None
    described = describe(arguments.name, arguments.architecture, arguments.version, arguments.built_at)
    lay_out(arguments.name, arguments.program, arguments.root)
    entries = read_tree(arguments.root)
    missing = {path.removeprefix("/") for path in described.configuration} - {entry.path for entry in entries}
    if missing:
        raise ValueError(f"packages.toml calls configuration what is not in it: {', '.join(sorted(missing))}")

    for_opkg = dataclasses.replace(described, scripts=device.ipk_scripts())
    package = ipk.pack(for_opkg, entries)
    path = arguments.out / f"{described.name}_{described.full_version}_{described.architecture}.ipk"
    path.write_bytes(package)
    index.write_index(arguments.out, [(path.name, ipk.control(for_opkg, entries), package)], usign_key)
    yield "ipk", path

    for_apk = dataclasses.replace(described, scripts=device.apk_scripts(described.name))
    path = arguments.out / f"{described.name}-{described.full_version}.apk"
    path.write_bytes(apk.pack(for_apk, device.apk_records(for_apk, entries), apk_key))
    yield "apk", path


def describe(name: str, architecture: str, version: str, built_at: int) -> Description:
    """What `packages.toml` says of a package, for an architecture."""
    known = packages()
    if name not in known:
        raise ValueError(f"packages.toml has {', '.join(known)}")
    said = known[name]
    return Description(
        name=name,
        version=version,
        release=1,
        architecture=said.get("architecture", architecture),
        summary=said["summary"],
        section=said["section"],
        license="MIT OR Apache-2.0",
        maintainer="quicproquo",
        url="https://github.com/quicproquo/quicproquo",
        depends=said["depends"],
        configuration=said.get("configuration", []),
        built_at=built_at,
        user=said.get("user"),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="packing", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="as packages.toml calls it")
    parser.add_argument("--program", type=Path, help="for a package that has one")
    parser.add_argument("--root", type=Path, required=True, help="empty folder in which the device's root is laid out")
    parser.add_argument("--out", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--architecture", required=True, help="OpenWrt's name, such as mipsel_24kc")
    parser.add_argument("--version", required=True, help="of the program")
    parser.add_argument("--built-at", type=int, default=0, help="Unix time in seconds of everything in it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
