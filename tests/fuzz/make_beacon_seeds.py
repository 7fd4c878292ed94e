#!/usr/bin/env python3
"""Writes the seeds of fuzz_beacon: small genuine datagrams and bodies, encoded by hand after proto/beacon.proto."""

import hashlib
import pathlib


def varint(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def text(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def body(kind: int, node_id: bytes, role: bytes, port: int, padding: int = 0) -> bytes:
    cluster = hashlib.sha256(b"enigma cluster insecure").digest()[:16]
    out = number(1, kind) if kind else b""
    out += text(2, cluster) + text(3, node_id) + text(4, role) + number(5, port)
    out += number(6, 1_800_000_000_000) + number(7, 1) + number(8, 1_800_000_000_000) + text(9, b"12345678")
    return out + (text(13, bytes(padding)) if padding else b"")


def datagram(inner: bytes, signature: bytes = b"") -> bytes:
    return b"EnB1" + text(1, inner) + (text(2, signature) if signature else b"")


def main() -> None:
    folder = pathlib.Path(__file__).parent / "corpus" / "beacon"
    folder.mkdir(parents=True, exist_ok=True)
    node = body(0, b"node-1", b"coordinator", 50051)
    certified = node + text(10, bytes(32)) + text(11, b"\x30\x82\x01\x00" + bytes(60)) + text(12, bytes(32))
    seeds = {
        "datagram_node": b"\x00" + datagram(node),
        "datagram_signed": b"\x00" + datagram(certified, bytes(64)),
        "datagram_hello": b"\x00" + datagram(body(1, b"newcomer", b"worker", 0, 1000)),
        "datagram_other_version": b"\x00EnB2" + datagram(node)[4:],
        "body_node": b"\x01" + node,
        "body_hello": b"\x01" + body(1, b"newcomer", b"worker", 0, 40),
    }
    for name, content in seeds.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
