"""What a package says of itself."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Description:
    """The fields that both kinds of packages have."""

    name: str
    version: str
    """As Cargo.toml has it."""
    release: int
    """Of the package; counts up where only the packaging changes."""
    architecture: str
    """As OpenWrt calls it: aarch64_cortex-a53, mipsel_24kc, all."""
    summary: str
    """One line."""
    section: str
    """Where package lists show it: net, luci."""
    license: str
    """SPDX expression."""
    maintainer: str
    url: str
    depends: list[str]
    configuration: list[str]
    """Files that an operator changes, with their slash in front: an update leaves them alone."""
    built_at: int
    """Unix time in seconds, the same for everything in the package."""
    scripts: dict[str, str] = field(default_factory=dict)
    """Run on the device: postinst, prerm, postupgrade, each a whole shell script."""
    user: str | None = None
    """The user and group that the device makes for it, as `name=number:name=number`."""

    @property
    def full_version(self) -> str:
        """As both kinds write it."""
        return f"{self.version}-r{self.release}"
