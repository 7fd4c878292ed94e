#!/usr/bin/env python3
"""Writes the seed files of corpus/tokenizer: hand-made vocabularies, each with a text to encode behind it.

They are committed; run this again only when a format changes. Development tool, never needed to build or to test.
"""
import base64
import pathlib
import struct

from make_seeds import ARRAY, FLOAT32, STRING, UINT32, array, pair, text

CORPUS = pathlib.Path(__file__).parent / "corpus" / "tokenizer"
INT32, BOOL = 5, 7
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)


def head(pairs):
    """A GGUF head without tensors; what follows it is the text."""
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + b"".join(pairs)


def strings(key, values):
    return pair(key, ARRAY, array(STRING, [text(v) for v in values]))


def number(key, value):
    return pair(key, UINT32, struct.pack("<I", value))


def sentence_piece(flag):
    tokens = [("<unk>", 0, UNKNOWN), ("<s>", 0, CONTROL), ("</s>", 0, CONTROL), ("<0x0A>", 0, BYTE), ("<0xC3>", 0, BYTE),
              ("<0xA9>", 0, BYTE), ("\u2581", -9, NORMAL), ("h", -9, NORMAL), ("e", -9, NORMAL), ("l", -9, NORMAL),
              ("ll", -1, NORMAL), ("he", -2, NORMAL), ("\u2581he", -3, NORMAL), ("\u2581\u2581", -4, NORMAL),
              ("<user>", 0, USER_DEFINED), ("old", 0, UNUSED), ("<end_of_turn>", 0, CONTROL)]
    if not flag:
        tokens.append(("l\u2581h", -0.5, NORMAL))
    return head([
        pair("tokenizer.ggml.model", STRING, text("llama")),
        strings("tokenizer.ggml.tokens", [t[0] for t in tokens]),
        pair("tokenizer.ggml.scores", ARRAY, array(FLOAT32, [struct.pack("<f", t[1]) for t in tokens])),
        pair("tokenizer.ggml.token_type", ARRAY, array(INT32, [struct.pack("<i", t[2]) for t in tokens])),
        number("tokenizer.ggml.bos_token_id", 1),
        number("tokenizer.ggml.eos_token_id", 2),
        pair("tokenizer.ggml.add_eos_token", BOOL, b"\1"),
        pair("tokenizer.ggml.add_space_prefix", BOOL, bytes([flag])),
    ])


def byte_pair(pre):
    tokens = list("abehlo019!") + ["\u0120", "\u010a", "\u00e4", "\u00bd", "he", "ll", "llo", "hello", "\u0120he",
                                   "<|endoftext|>", "<|im_end|>", "   ", "<unk>"]
    types = [NORMAL] * (len(tokens) - 4) + [CONTROL, CONTROL, USER_DEFINED, UNKNOWN]
    return head([
        pair("tokenizer.ggml.model", STRING, text("gpt2")),
        pair("tokenizer.ggml.pre", STRING, text(pre)),
        strings("tokenizer.ggml.tokens", tokens),
        pair("tokenizer.ggml.token_type", ARRAY, array(INT32, [struct.pack("<i", t) for t in types])),
        strings("tokenizer.ggml.merges", ["h e", "l l", "ll o", "he llo", "\u0120 he"]),
        number("tokenizer.ggml.bos_token_id", tokens.index("<|endoftext|>")),
        number("tokenizer.ggml.eos_token_id", tokens.index("<|endoftext|>")),
        number("tokenizer.ggml.unknown_token_id", tokens.index("<unk>")),
    ])


def ranks():
    tokens = [b"a", b"b", b"c", b" ", b"bc", b"ab", b" abc", b"\xc3", b"\xa9", b"\xc3\xa9", b"12", b"1", b"2"]
    return b"".join(base64.b64encode(t) + b" %d\n" % i for i, t in enumerate(tokens))


def main():
    sample = "hello  hello\n 1023 l\u00e9!<user><end_of_turn><|im_end|>   a".encode() + b"\xff\xe2\x82"
    seeds = {"sentence_piece": sentence_piece(True) + sample, "words_joined": sentence_piece(False) + sample,
             "ranks": ranks() + b"\0abc bcab \xc3\xa9 123<|eot_id|>\xff"}
    for pre in ("gpt-2", "llama-bpe", "deepseek-coder", "tekken"):
        seeds[pre] = byte_pair(pre) + sample
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, content in seeds.items():
        (CORPUS / name).write_bytes(content)


if __name__ == "__main__":
    main()
