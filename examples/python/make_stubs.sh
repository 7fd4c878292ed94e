#!/usr/bin/env bash
# Writes what client.py imports, made from proto/, into a directory: make_stubs.sh DIRECTORY
# Needs protoc and its Python plugin (Debian: protobuf-compiler protobuf-compiler-grpc).
set -euo pipefail
(($# == 1)) || { printf 'usage: make_stubs.sh DIRECTORY\n' >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
plugin=$(command -v grpc_python_plugin) || { printf 'grpc_python_plugin is missing\n' >&2; exit 1; }
mkdir -p "$1/proto"
protoc -I "$root" --python_out="$1" --grpc_out="$1" --plugin=protoc-gen-grpc="$plugin" \
  proto/inference.proto proto/worker.proto
touch "$1/proto/__init__.py" # else another package of that name would be found first
