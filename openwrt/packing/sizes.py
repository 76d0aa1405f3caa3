"""Sizes of what was built, beside budgets and against those of before: python3 -m packing.sizes check|write TARGET...

`sizes.toml` has both. Two in a hundred more than before fails, and the crates are named that grew; `write` takes the
present ones.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

from .layout import HERE

SIZES = HERE / "sizes.toml"
GROWTH = 0.02
CRATES_KEPT = 40


def measure(program: Path, out: Path) -> dict:
    """Sizes of a target: of the stripped program, of both packages, and by crate."""
    sizes = {"program": (out / "qpqd").stat().st_size}
    for kind in ("ipk", "apk"):
        sizes[kind] = sum(path.stat().st_size for path in out.glob(f"qpqd[_-]*.{kind}"))
    sizes["crates"] = dict(by_crate(program).most_common(CRATES_KEPT))
    return sizes


def by_crate(program: Path) -> Counter:
    """Bytes of code and data by the crates that define them, from a program with its symbols (v0 mangling)."""
    listed = subprocess.run(["nm", "--print-size", program], capture_output=True, check=True, text=True).stdout
    crates, seen = Counter(), set()
    for line in listed.splitlines():
        parts = line.split(maxsplit=3)
        # Functions that are equal lie in one place under several names.
        if len(parts) == 4 and parts[0] not in seen:
            seen.add(parts[0])
            crates[_crate(parts[3])] += int(parts[1], 16)
    return crates


def _crate(symbol: str) -> str:
    found = re.match(r"_R.*?C(?:s[0-9A-Za-z]*_)?(\d+)_?([A-Za-z_].*)", symbol)
    return found[2][: int(found[1])] if found else "(C)"


def over_budget(target: str, now: dict, budgets: dict) -> list[str]:
    """Where a target has more than it is meant to have. That is no failure: its growth is."""
    program_max = budgets["program"].get(target, budgets["program"]["default"])
    meant = (("program", program_max), ("ipk", budgets["package"]), ("apk", budgets["package"]))
    return [
        f"{target}: {kind} has {now[kind]} bytes, and is meant to have {maximum}"
        for kind, maximum in meant
        if now[kind] > maximum
    ]


def complaints(target: str, now: dict, before: dict | None) -> list[str]:
    """What is wrong with the sizes of a target."""
    found = []
    if before is None:
        return [f"{target}: sizes.toml knows nothing of it; openwrt/build --sizes {target}"]
    grown = [kind for kind in ("program", "ipk", "apk") if now[kind] > before[kind] * (1 + GROWTH)]
    if grown:
        found.append(f"{target}: grew by more than {GROWTH:.0%}: " + ", ".join(f"{k} {before[k]} -> {now[k]}" for k in grown))
        known = before["crates"]
        more = Counter({crate: size - known.get(crate, 0) for crate, size in now["crates"].items()})
        found.extend(f"    {crate} by {size} bytes" for crate, size in more.most_common(10) if size > 0)
    return found


def table(sizes: dict[str, dict], budgets: dict) -> str:
    """For people."""
    lines = [f"{'target':34} {'program':>10} {'of':>10} {'ipk':>10} {'apk':>10} {'of':>10}"]
    for target, now in sizes.items():
        program_max = budgets["program"].get(target, budgets["program"]["default"])
        lines.append(
            f"{target:34} {now['program']:>10} {program_max:>10} {now['ipk']:>10} {now['apk']:>10} {budgets['package']:>10}"
        )
    return "\n".join(lines)


def _document(budgets: dict, targets: dict[str, dict]) -> str:
    lines = [
        "# Bytes of the router build. `openwrt/build` fails where there are two in a hundred more than here, and says where there",
        "# are more than the budget; `openwrt/build --sizes` takes over the present ones.",
        "",
        "[budgets]",
        f"package = {budgets['package']}",
        "program = { " + ", ".join(f"{name} = {size}" for name, size in budgets["program"].items()) + " }",
    ]
    for target, sizes in sorted(targets.items()):
        lines += ["", f"[{target}]"] + [f"{kind} = {sizes[kind]}" for kind in ("program", "ipk", "apk")]
        lines += ["", f"[{target}.crates]"]
        lines += [f'"{crate}" = {size}' for crate, size in sorted(sizes["crates"].items(), key=lambda item: -item[1])]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="packing.sizes", description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["check", "write"])
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--built", type=Path, required=True, help="folder of what was compiled")
    parser.add_argument("--out", type=Path, default=HERE / "out")
    arguments = parser.parse_args()
    known = tomllib.loads(SIZES.read_text())
    budgets = known.pop("budgets")
    sizes = {
        target: measure(arguments.built / target / "router/qpq-openwrt", arguments.out / target)
        for target in arguments.targets
    }
    print(table(sizes, budgets))
    if arguments.what == "write":
        SIZES.write_text(_document(budgets, known | sizes))
        known |= sizes
    for target, now in sizes.items():
        print("\n".join(over_budget(target, now, budgets)))
    found = [line for target, now in sizes.items() for line in complaints(target, now, known.get(target))]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
