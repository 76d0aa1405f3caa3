"""Packages are what opkg and apk-tools expect, byte for byte where they say so. Run: python3 -m unittest discover -s openwrt"""

import gzip
import hashlib
import io
import os
import struct
import subprocess
import tarfile
import tempfile
import unittest
import zlib
from pathlib import Path

from packing import adb, apk, device, index, ipk, sizes
from packing.description import Description
from packing.keys import ApkKey, UnusableKey, UsignKey
from packing.tree import Entry, read_tree


def description(**changed) -> Description:
    usual = {
        "name": "carrier",
        "version": "1.2.3",
        "release": 4,
        "architecture": "mipsel_24kc",
        "summary": "Carries",
        "section": "net",
        "license": "MIT",
        "maintainer": "somebody",
        "url": "https://example.org",
        "depends": ["libb", "liba"],
        "configuration": ["/etc/config/carrier"],
        "built_at": 1_700_000_000,
        "user": "carrier=9:carrier=9",
    }
    return Description(**usual | changed)


def entries() -> list[Entry]:
    def folder(path):
        return Entry(path, 0o755, None, None)

    return [
        folder(""),
        folder("etc"),
        folder("etc/config"),
        Entry("etc/config/carrier", 0o644, b"config carrier\n", None),
        folder("usr"),
        folder("usr/bin"),
        Entry("usr/bin/carry", 0o777, None, "carrier"),
        Entry("usr/bin/carrier", 0o755, b"\x7fELF" * 100, None),
    ]


class Ipk(unittest.TestCase):
    def members(self, archive: bytes) -> dict:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            members = tar.getmembers()
            return {member.name: (member, tar.extractfile(member).read() if member.isfile() else b"") for member in members}

    def test_the_three_parts_are_where_opkg_looks_for_them(self):
        package = self.members(ipk.pack(description(scripts=device.ipk_scripts()), entries()))
        self.assertEqual(list(package), ["./debian-binary", "./data.tar.gz", "./control.tar.gz"])
        self.assertEqual(package["./debian-binary"][1], b"2.0\n")
        control = self.members(package["./control.tar.gz"][1])
        self.assertEqual(control["./conffiles"][1], b"/etc/config/carrier\n")
        self.assertTrue(control["./postinst"][0].mode & 0o111 and control["./prerm"][0].mode & 0o111)
        said = control["./control"][1].decode().splitlines()
        for line in ("Version: 1.2.3-r4", "Depends: libb, liba", "Require-User: carrier=9:carrier=9", "Installed-Size: 415"):
            self.assertIn(line, said)

    def test_files_keep_their_modes_and_links_and_belong_to_root(self):
        package = self.members(ipk.pack(description(), entries()))
        data = self.members(package["./data.tar.gz"][1])
        program, link = data["./usr/bin/carrier"][0], data["./usr/bin/carry"][0]
        self.assertEqual((program.mode, program.uid, program.mtime), (0o755, 0, 1_700_000_000))
        self.assertEqual((link.issym(), link.linkname), (True, "carrier"))

    def test_equal_input_gives_equal_bytes(self):
        self.assertEqual(ipk.pack(description(), entries()), ipk.pack(description(), entries()))

    def test_a_field_has_one_line(self):
        with self.assertRaises(ValueError):
            ipk.control(description(summary="two\nlines"), entries())

    def test_the_list_names_size_and_hash(self):
        with tempfile.TemporaryDirectory() as folder:
            control = ipk.control(description(), entries())
            index.write_index(Path(folder), [("carrier.ipk", control, b"package")], None)
            text = (Path(folder) / "Packages").read_text()
            self.assertEqual(gzip.decompress((Path(folder) / "Packages.gz").read_bytes()).decode(), text)
        self.assertIn("Filename: carrier.ipk\nSize: 7\n", text)
        self.assertIn(f"SHA256sum: {hashlib.sha256(b'package').hexdigest()}\nDescription: Carries\n", text)


class Apk(unittest.TestCase):
    def blocks(self, package: bytes) -> list[tuple[int, bytes]]:
        self.assertEqual(package[:4], b"ADBd")
        file = zlib.decompress(package[4:], -15)
        self.assertEqual(file[:8], b"ADB.pckg")
        blocks, place = [], 8
        while place < len(file):
            (head,) = struct.unpack_from("<I", file, place)
            length = head & 0x3FFF_FFFF
            blocks.append((head >> 30, file[place + 4 : place + length]))
            place += length + -length % 8
        self.assertEqual(place, len(file))
        return blocks

    def test_data_blocks_name_folder_and_file_and_hold_the_file(self):
        blocks = self.blocks(apk.pack(description(), entries(), None))
        self.assertEqual([kind for kind, _ in blocks], [adb.ADB_BLOCK, adb.DATA_BLOCK, adb.DATA_BLOCK])
        # The third folder's first file and the fifth's; a link has no data.
        self.assertEqual(blocks[1][1], struct.pack("<II", 3, 1) + b"config carrier\n")
        self.assertEqual(blocks[2][1], struct.pack("<II", 5, 1) + b"\x7fELF" * 100)

    def test_the_unique_id_is_the_hash_of_the_tree_without_it(self):
        tree = self.blocks(apk.pack(description(), entries(), None))[0][1]
        found = [place for place in range(len(tree) - 20) if self.is_id_at(tree, place)]
        self.assertEqual(len(found), 1)

    def is_id_at(self, tree: bytes, place: int) -> bool:
        emptied = tree[:place] + bytes(20) + tree[place + 20 :]
        return tree[place - 1] == 20 and hashlib.sha256(emptied).digest()[:20] == tree[place : place + 20]

    def test_a_signature_is_checked_with_the_public_key(self):
        with tempfile.TemporaryDirectory() as folder:
            private, public = Path(folder) / "key.pem", Path(folder) / "key.pub"
            run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True)
            run("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private)
            run("ec", "-in", private, "-pubout", "-out", public)
            blocks = self.blocks(apk.pack(description(), entries(), ApkKey(private)))
            signature = next(payload for kind, payload in blocks if kind == adb.SIGNATURE_BLOCK)
            signed = b"pckg" + signature[:18] + hashlib.sha512(blocks[0][1]).digest()
            for name, content in (("signed", signed), ("signature", signature[18:]), ("other", signed + b"x")):
                (Path(folder) / name).write_bytes(content)
            check = ["openssl", "dgst", "-sha512", "-verify", public, "-signature", Path(folder) / "signature"]
            self.assertEqual(subprocess.run([*check, Path(folder) / "signed"], capture_output=True).returncode, 0)
            self.assertNotEqual(subprocess.run([*check, Path(folder) / "other"], capture_output=True).returncode, 0)

    def test_a_file_that_is_no_key_is_refused_by_name(self):
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(b"no key")
            file.flush()
            for kind in (ApkKey, UsignKey):
                with self.assertRaisesRegex(UnusableKey, os.path.basename(file.name)):
                    kind(Path(file.name))

    def test_what_the_devices_functions_read_lies_in_the_package(self):
        records = {entry.path: entry.data for entry in device.apk_records(description(), entries())}
        self.assertEqual(records["lib/apk/packages/carrier.rusers"], b"carrier=9:carrier=9\n")
        self.assertEqual(
            records["lib/apk/packages/carrier.list"], b"/etc/config/carrier\n/usr/bin/carrier\n/usr/bin/carry\n"
        )
        known = f"/etc/config/carrier {hashlib.sha256(b'config carrier' + bytes([10])).hexdigest()}\n"
        self.assertEqual(records["lib/apk/packages/carrier.conffiles_static"].decode(), known)


class Values(unittest.TestCase):
    def test_small_numbers_lie_in_their_word_and_large_ones_behind_it(self):
        values = adb.Values()
        self.assertEqual(values.number(7), 0x1000_0007)
        place = values.number(1 << 28)
        self.assertEqual(place >> 28, 2)
        self.assertEqual(values.number(1 << 28), place, "equal values lie in one place")
        self.assertEqual(values.number(1 << 40) >> 28, 3)

    def test_fields_that_are_absent_at_the_end_are_left_out(self):
        values = adb.Values()
        place = values.object({1: values.number(5), 3: adb.NULL}) & 0x0FFF_FFFF
        self.assertEqual(struct.unpack_from("<II", values.finish(adb.NULL), place), (2, 0x1000_0005))
        self.assertEqual(values.object({}), adb.NULL)


class Tree(unittest.TestCase):
    def test_a_folder_comes_before_what_is_in_it_and_links_are_links(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "b").mkdir()
            (root / "b/program").write_bytes(b"x")
            (root / "b/program").chmod(0o700)
            (root / "a").symlink_to("b", target_is_directory=True)
            found = read_tree(root)
        self.assertEqual([entry.path for entry in found], ["", "a", "b", "b/program"])
        self.assertEqual((found[1].target, found[3].mode), ("b", 0o755))


class Sizes(unittest.TestCase):
    BUDGETS = {"package": 100, "program": {"default": 1_000}}

    def now(self, **changed) -> dict:
        return {"program": 500, "ipk": 50, "apk": 50, "crates": {"a": 300, "b": 200}} | changed

    def test_two_in_a_hundred_more_is_too_much_and_the_crate_is_named(self):
        check = lambda now: sizes.complaints("target", now, self.now())
        self.assertEqual(check(self.now(program=510)), [])
        found = "\n".join(check(self.now(program=511, crates={"a": 300, "b": 205, "c": 6})))
        self.assertIn("program 500 -> 511", found)
        self.assertIn("c by 6 bytes\n    b by 5 bytes", found)
        self.assertNotIn("a by", found)

    def test_a_budget_holds_whatever_was_before(self):
        large = self.now(apk=101)
        self.assertEqual(len(sizes.over_budget("target", large, self.BUDGETS)), 1)
        self.assertEqual(sizes.over_budget("target", self.now(), self.BUDGETS), [])

    def test_the_crate_of_a_symbol_is_the_one_that_defines_it(self):
        self.assertEqual(sizes._crate("_RNvNtCsabc123_8qpq_mesh5store3put"), "qpq_mesh")
        self.assertEqual(sizes._crate("_RINvMs_NtCs1_5alloc3vecINtB5_3VecpE4pushB7_"), "alloc")
        self.assertEqual(sizes._crate("memcpy"), "(C)")


if __name__ == "__main__":
    unittest.main()
