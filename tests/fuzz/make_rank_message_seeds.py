#!/usr/bin/env python3
"""Writes the seed files of corpus/rank_message: one frame of each kind, and messages of every way to pack.

They are committed; run this again only when a format changes. Development tool, never needed to build or to test.
"""
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus" / "rank_message"
MESSAGE, PULSE, ABORT, BYE = 1, 2, 3, 4
SUM, BROADCAST = 1, 2


def packed(values):
    out = b""
    for at in range(0, len(values), 256):
        block = values[at : at + 256]
        width = max((max(v if v >= 0 else ~v for v in block).bit_length() + 1 + 3) // 4, 1) if any(block) else 0
        bits = sum((v % (1 << 4 * width)) << (4 * width * i) for i, v in enumerate(block)) if width else 0
        out += bytes([width]) + bits.to_bytes((len(block) * width + 1) // 2, "little")
    return out


def ring(kind, values, step=0, chunk=0, number=0, root=0):
    return b"ERNG" + struct.pack("<HHQQII", kind, step, number, len(values), root, chunk)


def frame(expected, kind, body):
    return bytes([expected // 4, kind]) + body


def main():
    CORPUS.mkdir(parents=True, exist_ok=True)
    small = [0, 1, -1, 7, -8, 100, -300, 5]
    large = [0] * 256 + [(-1) ** i * (i << 35) for i in range(256)] + [-(2**63), 2**63 - 1, 12345, -12345]
    seeds = {
        "sum_small": frame(8, MESSAGE, ring(SUM, small) + packed(small)),
        "sum_large": frame(516, MESSAGE, ring(SUM, large, step=1, chunk=2, number=9) + packed(large)),
        "sum_of_nothing": frame(0, MESSAGE, ring(SUM, [])),
        "broadcast": frame(8, MESSAGE, ring(BROADCAST, small, root=3) + bytes(range(8))),
        "pulse": frame(0, PULSE, struct.pack("<Q", 1 << 40)),
        "abort": frame(0, ABORT, struct.pack("<IQ", 14, 3) + b"rank 2 is lost"),
        "abort_by_order": frame(0, ABORT, struct.pack("<IQ", 1, 0) + b"halted"),
        "bye": frame(0, BYE, b""),
    }
    for name, data in seeds.items():
        (CORPUS / name).write_bytes(data)


main()
