#!/usr/bin/env python3
"""Writes the seed files of corpus/corpus (training files, a byte that chooses the format before them) and of
corpus/token_set and corpus/captions (prepared ones, written from the descriptions in engine/corpus/token_set.h and
picture_set.h; captions before they are prepared).

They are committed; run this again only when a format changes. Development tool, never needed to build or to test.
"""
import hashlib
import json
import pathlib
import struct

CORPUS = pathlib.Path(__file__).parent / "corpus"
AUTO, TEXT, PAIRS, RECORDS = range(4)
PARTS, BYTE_PAIR = 16, 32


def padded(data):
    return data + bytes(-len(data) % 8)


def token_set(training, validation, vocabulary):
    """Documents are lists of (id, trained)."""
    documents = training + validation
    ids = [token for document in documents for token, _ in document]
    offsets = [0]
    for document in documents:
        offsets.append(offsets[-1] + len(document))
    mask = bytearray((len(ids) + 7) // 8)
    for at, (_, trained) in enumerate(t for document in documents for t in document):
        if trained:
            mask[at // 8] |= 1 << at % 8
    width = 2 if vocabulary <= 65536 else 4
    head = b"enigtoks" + struct.pack("<IIIIQQQ", 1, width, vocabulary, 0, len(training), len(validation), len(ids))
    head += hashlib.sha256(b"vocabulary").digest()
    body = struct.pack(f"<{len(offsets)}Q", *offsets)
    body += padded(struct.pack(f"<{len(ids)}{'H' if width == 2 else 'I'}", *ids)) + padded(bytes(mask))
    return head + hashlib.sha256(head + body).digest() + body


def picture_set(side, pictures):
    head = b"enigpics" + struct.pack("<IIQ", 1, side, pictures)
    body = bytes(i * 7 % 256 for i in range(pictures * side * side * 3))
    return head + hashlib.sha256(head + body).digest() + body


def captions():
    lines = [{"image": "images/000000.png", "caption": "a red ring", "captions": ["a red ring", "there is a red ring"],
              "facts": {"kind": "single"}}, {"image": "a/..b.jpg", "captions": ["\u00e9"]}]
    return "\r\n\n".join(json.dumps(line) for line in lines).encode()


def document(first, size, prompt=1):
    return [(first + i, i >= prompt) for i in range(size)]


def training_files():
    chat = {"messages": [{"role": "user", "content": "he"}, {"role": "assistant", "content": "hello"},
                         {"role": "user", "content": "llo <|im_end|>"}, {"role": "assistant", "content": ""}]}
    prose = "It was the best of times, it was the worst of times, it was the age of wisdom\n\n"
    return {
        "text": (TEXT | BYTE_PAIR, "\ufeffhello h\u00e9\r\n\r\n<|endoftext|>\nhello hello\n"),
        "parts": (AUTO | PARTS, prose + prose.replace("best", "last") + prose.lower()),
        "pairs": (AUTO, "Q: he\nA: hello\nllo\n\nQ: llo\nmore\nA: [E:tool]he\n"),
        "records": (RECORDS | BYTE_PAIR, json.dumps({"text": "hello \u00e9", "n": [1, {"a": None}]}) + "\n"
                    + json.dumps({"prompt": "he", "completion": "llo"}) + "\r\n\n"
                    + json.dumps({"question": "a", "answer": "[E:b]c"}) + "\n"),
        "chat": (RECORDS | BYTE_PAIR, json.dumps(chat) + "\n" + json.dumps(chat) + "\n"),
    }


def main():
    for name, (choice, content) in training_files().items():
        (CORPUS / "corpus").mkdir(parents=True, exist_ok=True)
        (CORPUS / "corpus" / name).write_bytes(bytes([choice]) + content.encode())
    sets = {"two_bytes": token_set([document(1, 20, 5), document(40, 3)], [document(90, 9)], 100),
            "four_bytes": token_set([document(70000, 12)], [], 100000),
            "empty": token_set([], [], 10)}
    for name, content in sets.items():
        (CORPUS / "token_set").mkdir(parents=True, exist_ok=True)
        (CORPUS / "token_set" / name).write_bytes(content)
    (CORPUS / "captions").mkdir(parents=True, exist_ok=True)
    (CORPUS / "captions" / "lines").write_bytes(captions())
    (CORPUS / "captions" / "pictures").write_bytes(picture_set(3, 2))


if __name__ == "__main__":
    main()
