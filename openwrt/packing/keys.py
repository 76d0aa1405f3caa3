"""Keys that a builder signs with: an elliptic curve key in PEM for .apk, one of usign for lists of .ipk.

openssl does the arithmetic, so that nothing more has to be installed.
"""

import base64
import hashlib
import struct
import subprocess
import tempfile
from pathlib import Path


class UnusableKey(Exception):
    """A key that cannot be used; says which and why."""


class ApkKey:
    """A private key as `openssl ecparam -name prime256v1 -genkey` makes it, or any other that openssl signs SHA-512 with."""

    def __init__(self, path: Path) -> None:
        self._path = path
        public = _openssl(["pkey", "-in", path, "-pubout", "-outform", "DER"], path)
        # apk knows a key by the hash of the point or number alone, which comes last in its DER.
        self.id = hashlib.sha512(_bit_string(public)).digest()[:16]

    def sign(self, message: bytes) -> bytes:
        """ECDSA or RSA over SHA-512."""
        return _openssl(["dgst", "-sha512", "-sign", self._path], self._path, message)


class UsignKey:
    """A secret key of usign or signify: two lines, a comment and base64, without a passphrase."""

    def __init__(self, path: Path) -> None:
        try:
            secret = base64.b64decode(path.read_text().splitlines()[1], validate=True)
            kind, derivation, _, _, _, self._id, pair = struct.unpack("<2s2s4s16s8s8s64s", secret)
            rounds = struct.unpack(">I", secret[4:8])[0]
        except (OSError, IndexError, ValueError, struct.error) as error:
            raise UnusableKey(f"{path} is no secret key of usign: {error}") from error
        if kind != b"Ed" or derivation != b"BK" or rounds:
            raise UnusableKey(f"{path} is no secret key of usign without a passphrase")
        self._path = path
        self._seed = pair[:32]

    def sign(self, message: bytes) -> bytes:
        """A whole signature file."""
        # The secret key in PKCS #8 (RFC 8410, section 7).
        der = bytes.fromhex("302e020100300506032b657004220420") + self._seed
        with tempfile.NamedTemporaryFile(suffix=".der") as key, tempfile.NamedTemporaryFile() as text:
            key.write(der)
            key.flush()
            text.write(message)
            text.flush()
            command = ["pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key.name, "-in", text.name]
            signature = _openssl(command, self._path)
        encoded = base64.b64encode(b"Ed" + self._id + signature).decode()
        return f"untrusted comment: signed by key {self._id.hex()}\n{encoded}\n".encode()


def _openssl(arguments: list, key: Path, standard_input: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["openssl", *map(str, arguments)], input=standard_input, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise UnusableKey("openssl is not installed") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().splitlines()
        raise UnusableKey(f"openssl cannot use {key}: {reason[0] if reason else 'it does not say why'}") from error
    return done.stdout


def _bit_string(public_key: bytes) -> bytes:
    """What is in the last element of a SubjectPublicKeyInfo (RFC 5280, section 4.1)."""
    _, body, _ = _element(public_key)
    _, _, rest = _element(body)
    tag, bits, rest = _element(rest)
    if tag != 3 or rest or bits[0] != 0:
        raise UnusableKey("openssl gave no public key")
    return bits[1:]


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag, contents, and what comes behind."""
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]
