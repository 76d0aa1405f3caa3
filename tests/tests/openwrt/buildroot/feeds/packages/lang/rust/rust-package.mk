# Stand-in for the feed's rust-package.mk, which builds with a profile of its own choice.

RUST_ARCH_DEPENDS:=@any
CARGO_PKG_PROFILE:=release
