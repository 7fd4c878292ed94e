#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_http: requests to each endpoint, and what parsers of HTTP take differently."""

import json
import pathlib

CORPUS = pathlib.Path(__file__).parent / "corpus" / "http"


def request(method, path, body=None, headers=""):
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))
    length = "" if body is None else f"Content-Length: {len(text.encode())}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}{length}\r\n{text}".encode()


SAY = [{"role": "user", "content": [{"type": "text", "text": "a\u00e9"}]}]
SEEDS = {
    "chat": request("POST", "/v1/chat/completions",
                    {"model": "m", "messages": SAY, "max_tokens": 3, "stop": ["a"], "logprobs": True,
                     "top_logprobs": 1, "stream": True, "stream_options": {"include_usage": True}}),
    "completion": request("POST", "/v1/completions",
                          {"model": "m", "prompt": ["a", "b"], "n": 2, "max_tokens": 2, "logit_bias": {"5": -1},
                           "seed": 1, "logprobs": 1, "echo": True}, "x-request-timeout-ms: 9000\r\n"),
    "generate": request("POST", "/generate", {"prompt": "a", "max_gen": 2, "temperature": 0.5}),
    "detokenize": request("POST", "/detokenize", {"model": "m", "tokens": [5, 6]}),
    "model": request("GET", "/v1/models/m%20?x=1", None, "Authorization: Bearer enk-a\r\n"),
    "pipelined": b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + request("HEAD", "/health/ready"),
    "chunked": b"POST /tokenize HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"8;a=b\r\n{\"model\"\r\n14\r\n:\"m\",\"prompt\":\"abc\"}\r\n0\r\nTrailer: x\r\n\r\n",
    "continue": request("POST", "/tokenize", {"model": "m", "prompt": ""}, "Expect: 100-continue\r\n"),
}

CORPUS.mkdir(parents=True, exist_ok=True)
for name, data in SEEDS.items():
    (CORPUS / name).write_bytes(data)
