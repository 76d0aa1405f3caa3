"""The container of apk-tools 3 ("ADB"): a tree of values, and blocks behind it.

apk-tools describes it in apk-v3(5). A value is a word of 32 bits, little-endian: four bits of kind, and 28 bits that
are a small number or the place of what does not fit. Arrays and objects are words in a row, how many there are first; the
first field of an object has number 1. An absent value is zero.
"""

import struct
import zlib

NULL = 0


class Values:
    """Values that are written one behind the other; equal ones lie in one place."""

    def __init__(self) -> None:
        self._bytes = bytearray(8)
        self._known: dict[bytes, int] = {}

    def number(self, number: int) -> int:
        """A number that is not negative."""
        if number < 1 << 28:
            return _INT | number
        if number < 1 << 32:
            return _INT_32 | self._put(struct.pack("<I", number), 4)
        return _INT_64 | self._put(struct.pack("<Q", number), 4)

    def blob(self, blob: bytes, *, alone: bool = False) -> int:
        """Bytes; `alone` for what is changed afterwards, and so must not be anybody else's as well."""
        if not blob:
            return NULL
        for kind, width, layout in ((_BLOB_8, 1, "<B"), (_BLOB_16, 2, "<H"), (_BLOB_32, 4, "<I")):
            if len(blob) < 1 << (8 * width):
                return kind | self._put(struct.pack(layout, len(blob)) + blob, width, alone=alone)
        raise ValueError("a blob is longer than 4 GiB")

    def text(self, text: str) -> int:
        """A text."""
        return self.blob(text.encode())

    def array(self, items: list[int]) -> int:
        """Values in a row. Whoever reads it expects those in order that have one."""
        return self._row(_ARRAY, items)

    def object(self, fields: dict[int, int]) -> int:
        """Values by the numbers of their fields."""
        present = {number: value for number, value in fields.items() if value != NULL}
        return self._row(_OBJECT, [present.get(number, NULL) for number in range(1, max(present, default=0) + 1)])

    def place_of_blob(self, value: int) -> int:
        """Where the bytes of a blob of less than 256 bytes begin."""
        if value & _KIND != _BLOB_8:
            raise ValueError("no short blob")
        return (value & ~_KIND) + 1

    def finish(self, root: int) -> bytearray:
        """All of it, with the value that has the others below it."""
        self._bytes[:8] = struct.pack("<BBHI", 0, 0, 0, root)
        return self._bytes

    def _row(self, kind: int, values: list[int]) -> int:
        if not values:
            return NULL
        return kind | self._put(struct.pack(f"<{len(values) + 1}I", len(values) + 1, *values), 4)

    def _put(self, data: bytes, alignment: int, *, alone: bool = False) -> int:
        known = self._known.get(data)
        if known is not None and known % alignment == 0 and not alone:
            return known
        self._bytes += bytes(-len(self._bytes) % alignment)
        place = len(self._bytes)
        self._bytes += data
        if not alone:
            self._known[data] = place
        return place


def header(schema: int) -> bytes:
    """What a file begins with."""
    return struct.pack("<4sI", b"ADB.", schema)


def block(kind: int, payload: bytes) -> bytes:
    """A block, filled up to eight bytes."""
    length = 4 + len(payload)
    if length >= 1 << 30:
        raise ValueError("a block is longer than 1 GiB")
    return struct.pack("<I", kind << 30 | length) + payload + bytes(-length % 8)


def compressed(file: bytes) -> bytes:
    """A whole file, deflated, as every apk-tools 3 reads it."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + deflate.compress(file) + deflate.flush()


ADB_BLOCK = 0
SIGNATURE_BLOCK = 1
DATA_BLOCK = 2

_KIND = 0xF000_0000
_INT = 0x1000_0000
_INT_32 = 0x2000_0000
_INT_64 = 0x3000_0000
_BLOB_8 = 0x8000_0000
_BLOB_16 = 0x9000_0000
_BLOB_32 = 0xA000_0000
_ARRAY = 0xD000_0000
_OBJECT = 0xE000_0000
