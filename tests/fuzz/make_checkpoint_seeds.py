#!/usr/bin/env python3
"""Writes the seed files of corpus/safetensors and corpus/checkpoint_manifest: small, valid, and touching every branch.

They are committed; run this again only when a format changes. Development tool, never needed to build or to test.
"""
import hashlib
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"


def safetensors(tensors, metadata=None, spaces=0):
    """tensors: (name, dtype, shape, bytes of an element)"""
    header, offset = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape, element in tensors:
        size = element
        for extent in shape:
            size *= extent
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode() + b" " * spaces
    return struct.pack("<Q", len(text)) + text + bytes(range(256))[:offset]


def manifest(files, loss):
    body = {"format": 1, "step": 1200, "made_by": "seed", "time_ms": 1790000000123, "validation_loss": loss,
            "files": [[name, size, hashlib.sha256(name.encode()).hexdigest()] for name, size in files]}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return json.dumps(body | {"hash": hashlib.sha256(text.encode()).hexdigest()}).encode()


def main():
    types = [("f32", "F32", [2, 3], 4), ("f16", "F16", [3], 2), ("bf16", "BF16", [1, 1], 2), ("i32", "I32", [2], 4),
             ("i64", "I64", [], 8), ("u8", "U8", [5], 1), ("none", "U8", [0, 9], 1)]
    seeds = {"safetensors/types": safetensors(types), "safetensors/empty": safetensors([]),
             "safetensors/metadata": safetensors(types[:1], {"step": "12", "text": "\u00fc\n\""}, 7),
             "checkpoint_manifest/files": manifest([("state.safetensors", 4096), ("notes", 0)], 1.25),
             "checkpoint_manifest/empty": manifest([], None)}
    for name, content in seeds.items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
