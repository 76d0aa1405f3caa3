# Stand-in for the rules of OpenWrt's buildroot: what the packages' Makefiles use to install their files.

INSTALL_DIR:=install -d -m0755
INSTALL_BIN:=install -m0755
INSTALL_CONF:=install -m0600
INSTALL_DATA:=install -m0644
LN:=ln -sf
INCLUDE_DIR:=$(TOPDIR)/include
