"""What every package of OpenWrt brings along for its own installation, as the buildroot gives it to all of them.

The functions that the scripts call are the device's own, in /lib/functions.sh: they make the user, run what lies in
/etc/uci-defaults, and enable and start services.
"""

from .description import Description
from .tree import Entry

_BEGIN = '#!/bin/sh\n'
_NO_SCRIPT = '[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0\n'
_FUNCTIONS = '[ -s "${IPKG_INSTROOT}/lib/functions.sh" ] || exit 0\n. "${IPKG_INSTROOT}/lib/functions.sh"\n'
_UPGRADE = "export PKG_UPGRADE=1\n"


def ipk_scripts() -> dict[str, str]:
    """Scripts of an .ipk."""
    return {
        "postinst": f'{_BEGIN}{_NO_SCRIPT}{_FUNCTIONS}default_postinst "$0" "$@"\n',
        "prerm": f'{_BEGIN}{_FUNCTIONS}default_prerm "$0" "$@"\n',
    }


def apk_scripts(name: str) -> dict[str, str]:
    """Scripts of an .apk: apk tells them no name."""
    known = f'{_FUNCTIONS}export root="${{IPKG_INSTROOT}}"\nexport pkgname="{name}"\n'
    install = f"{_NO_SCRIPT}{known}add_group_and_user\ndefault_postinst\n"
    return {
        "postinst": f"{_BEGIN}{install}",
        "postupgrade": f"{_BEGIN}{_UPGRADE}{install}",
        "prerm": f"{_BEGIN}{known}default_prerm\n",
    }


def apk_records(description: Description, entries: list[Entry]) -> list[Entry]:
    """Files by which the device's functions know an .apk: what it has, its user, and what an operator changes in it."""
    files = {f"/{entry.path}": entry for entry in entries if not entry.is_folder}
    texts = {"list": "".join(f"{path}\n" for path in sorted(files))}
    if description.user is not None:
        texts["rusers"] = f"{description.user}\n"
    if description.configuration:
        texts["conffiles"] = "".join(f"{path}\n" for path in description.configuration)
        known = [path for path in description.configuration if path in files]
        texts["conffiles_static"] = "".join(f"{path} {files[path].sha256.hex()}\n" for path in known)
    folder = "lib/apk/packages"
    present = {entry.path for entry in entries}
    folders = [Entry(path, 0o755, None, None) for path in ("lib", "lib/apk", folder) if path not in present]
    records = [
        Entry(f"{folder}/{description.name}.{kind}", 0o644, text.encode(), None) for kind, text in texts.items()
    ]
    return sorted(entries + folders + records, key=lambda entry: entry.path.encode())
