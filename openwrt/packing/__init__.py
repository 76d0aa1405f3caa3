"""Packages for OpenWrt, made of a folder of files and a description: .ipk up to 24.10, .apk from 25.12."""
