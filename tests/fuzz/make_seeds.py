#!/usr/bin/env python3
"""Writes the seed files of corpus/gguf and corpus/manifest: small, valid, and touching every branch of the readers.

They are committed; run this again only when a format changes. Development tool, never needed to build or to test.
"""
import hashlib
import json
import math
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, packed):
    return text(key) + struct.pack("<I", kind) + packed


def array(kind, items):
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def gguf(pairs, tensors, version=3):
    """tensors: (name, shape, type, bytes)"""
    table, offset = b"", 0
    for name, shape, kind, size in tensors:
        table += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
        offset += (size + 31) // 32 * 32
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs)) + b"".join(pairs) + table
    return head + bytes((len(head) + 31) // 32 * 32 - len(head) + offset)


def model(architecture):
    hidden, ffn, vocab, head_dim = 8, 8, 4, 4
    sizes = {"block_count": 1, "embedding_length": hidden, "feed_forward_length": ffn, "context_length": 16,
             "attention.head_count": 2, "attention.head_count_kv": 1, "attention.key_length": head_dim}
    pairs = [pair("general.architecture", STRING, text(architecture))]
    pairs += [pair(f"{architecture}.{k}", UINT32, struct.pack("<I", v)) for k, v in sizes.items()]
    pairs += [pair(f"{architecture}.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
              pair(f"{architecture}.rope.scaling.type", STRING, text("yarn")),
              pair(f"{architecture}.rope.scaling.factor", FLOAT32, struct.pack("<f", 4.0)),
              pair("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(t) for t in ["<unk>", "a", "b", "ab"]])),
              pair("tokenizer.ggml.scores", ARRAY, array(FLOAT32, [struct.pack("<f", -i) for i in range(vocab)]))]
    shapes = {"token_embd.weight": (hidden, vocab), "output_norm.weight": (hidden,),
              "blk.0.attn_norm.weight": (hidden,), "blk.0.attn_q.weight": (hidden, 8),
              "blk.0.attn_k.weight": (hidden, 4), "blk.0.attn_v.weight": (hidden, 4),
              "blk.0.attn_output.weight": (8, hidden), "blk.0.ffn_norm.weight": (hidden,),
              "blk.0.ffn_gate.weight": (hidden, ffn), "blk.0.ffn_up.weight": (hidden, ffn),
              "blk.0.ffn_down.weight": (ffn, hidden)}
    if architecture == "qwen2":
        shapes |= {"blk.0.attn_q.bias": (8,), "blk.0.attn_k.bias": (4,), "blk.0.attn_v.bias": (4,)}
    if architecture == "qwen3":
        shapes |= {"blk.0.attn_q_norm.weight": (head_dim,), "blk.0.attn_k_norm.weight": (head_dim,)}
    tensors = []
    for name, shape in shapes.items():
        elements = 1
        for extent in shape:
            elements *= extent
        tensors.append((name, shape, 0, 4 * elements))
    return gguf(pairs, tensors)


def encoder():
    """An image encoder of 8 x 8 pixels, halved once."""
    sizes = {"image_size": 8, "embedding_length": 16, "feed_forward_length": 8, "attention.head_count": 2,
             "block_count": 1, "spatial_merge_size": 2, "projection_dim": 8}
    three = [struct.pack("<f", 0.5)] * 3
    pairs = [pair("general.architecture", STRING, text("enigma-vision")),
             pair("enigma.vision.stem_channels", ARRAY, array(5, [struct.pack("<i", 4)]))]
    pairs += [pair(f"enigma.vision.{k}", UINT32, struct.pack("<I", v)) for k, v in sizes.items()]
    pairs += [pair("enigma.vision.attention.layer_norm_rms_epsilon", FLOAT32, struct.pack("<f", 1e-5)),
              pair("enigma.vision.image_mean", ARRAY, array(FLOAT32, three)),
              pair("enigma.vision.image_std", ARRAY, array(FLOAT32, three))]
    shapes = {"v.stem.0.weight": (27, 4), "v.stem.0.bias": (4,), "v.patch_embd.weight": (4, 16),
              "v.patch_embd.bias": (16,), "v.position_embd.weight": (16, 16), "v.blk.0.attn_norm.weight": (16,)}
    shapes |= {f"v.blk.0.attn_{name}.weight": (16, 16) for name in ("q", "k", "v", "output")}
    shapes |= {"v.blk.0.ffn_norm.weight": (16,), "v.blk.0.ffn_gate.weight": (16, 8), "v.blk.0.ffn_up.weight": (16, 8),
               "v.blk.0.ffn_down.weight": (8, 16), "v.post_norm.weight": (16,), "mm.0.weight": (64, 8),
               "mm.0.bias": (8,), "mm.2.weight": (8, 8), "mm.2.bias": (8,)}
    return gguf(pairs, [(name, shape, 0, 4 * math.prod(shape)) for name, shape in shapes.items()])


def every_value():
    formats = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}
    pairs = [pair("general.alignment", UINT32, struct.pack("<I", 64)), pair("text", STRING, text("hi"))]
    for kind, form in formats.items():
        pairs.append(pair(f"v{kind}", kind, struct.pack(form, 1)))
        pairs.append(pair(f"a{kind}", ARRAY, array(kind, [struct.pack(form, 1)] * 2)))
    return gguf(pairs, [], version=2)


def every_type():
    blocks = {0: (1, 4), 1: (1, 2), 30: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
              12: (256, 144), 13: (256, 176), 14: (256, 210)}
    return gguf([], [(f"t{kind}", (elements, 2), kind, 2 * size) for kind, (elements, size) in blocks.items()])


def manifest(layers):
    blobs, at = [], 512

    def blob(kind, sizes):
        nonlocal at
        tensors, end = [], 0
        for i, size in enumerate(sizes):
            start = (end + 63) // 64 * 64
            tensors.append([f"{kind}.{len(blobs)}.{i}", start, at, size])
            end, at = start + size, at + size
        digest = hashlib.sha256(bytes([len(blobs)])).hexdigest()
        blobs.append({"kind": kind, "hash": digest, "bytes": end or 400, "tensors": tensors})

    blob("head", [])
    blob("shared", [16])
    blob("embedding", [96])
    for layer in range(layers):
        blob("layer", [32, 100, 64])
        blobs[-1]["layer"] = layer
    blob("output", [32, 96])
    ids = hashlib.sha256(b"".join(bytes.fromhex(b["hash"]) for b in blobs)).hexdigest()
    return json.dumps({"format": 1, "model": "seed", "id": ids, "file_bytes": at, "blobs": blobs}).encode()


def main():
    seeds = {f"gguf/{a}.gguf": model(a) for a in ("llama", "qwen2", "qwen3")}
    seeds |= {"gguf/values.gguf": every_value(), "gguf/types.gguf": every_type(), "gguf/encoder.gguf": encoder(),
              "gguf/empty.gguf": gguf([], []),
              "manifest/one_layer.json": manifest(1), "manifest/three_layers.json": manifest(3)}
    for name, content in seeds.items():
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
