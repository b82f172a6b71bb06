"""Bodies of a few bytes that stand for a gibibyte of empty lines."""

from __future__ import annotations

import struct
import zlib
from functools import cache

SIZE = 2**30
MEBIBYTE = 2**20
BLOCK = 2**17
"""The most that a block of zstd can stand for."""


@cache
def gzip_bomb() -> bytes:
    """Return one member of gzip: a mebibyte of empty lines as one block, a thousand times."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(b"\n" * MEBIBYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    # The checksum is that of nothing: who comes as far as this has read the gibibyte already.
    return head + block * (SIZE // MEBIBYTE) + b"\x03\x00" + struct.pack("<II", 0, SIZE)


@cache
def zstd_bomb() -> bytes:
    """Return one frame of zstd: 8192 blocks that say "the same byte, 131072 times", of four bytes each."""
    repeated = (BLOCK << 3 | 2).to_bytes(3, "little") + b"\n"
    last = (BLOCK << 3 | 3).to_bytes(3, "little") + b"\n"
    return b"\x28\xb5\x2f\xfd\x00\x38" + repeated * (SIZE // BLOCK - 1) + last
