"""Lays out the root of a device as a package brings it along, from `packages.toml`."""

import shutil
import tomllib
from pathlib import Path

HERE = Path(__file__).parent.parent
"""The folder with `packages.toml`, and all that it names."""


def packages() -> dict[str, dict]:
    """What `packages.toml` says, by names of packages."""
    return tomllib.loads((HERE / "packages.toml").read_text())


def lay_out(name: str, program: Path | None, root: Path) -> None:
    """Fills an empty folder. What is laid out as a program here is one on the device."""
    said = packages()[name]
    for place, source in said.get("files", {}).items():
        target = root / place
        if (HERE / source).is_dir():
            shutil.copytree(HERE / source, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / source, target)
    if "program" in said:
        if program is None:
            raise ValueError(f"{name} needs a program")
        target = root / said["program"]
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(program, target)
    for place, leads_to in said.get("links", {}).items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).symlink_to(leads_to)
