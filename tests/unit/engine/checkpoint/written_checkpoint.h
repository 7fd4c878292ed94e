#pragma once

#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "engine/checkpoint/checkpoint_folder.h"
#include "engine/checkpoint/checkpoint_writer.h"

namespace enigma::engine::testing {

// Two files, the content of which follows from the step.
inline std::vector<uint8_t> ContentOf(uint64_t step, size_t bytes) {
  std::vector<uint8_t> content(bytes);
  for (size_t i = 0; i < bytes; ++i) content[i] = static_cast<uint8_t>(step + i);
  return content;
}

// Whatever fails first.
inline absl::Status WriteCheckpoint(CheckpointFolder& folder, uint64_t step, std::optional<double> loss = {},
                                    size_t bytes = 1000) {
  auto writer = folder.Begin(step);
  if (!writer.ok()) return writer.status();
  const std::vector<uint8_t> content = ContentOf(step, bytes);
  for (const size_t at : {size_t{0}, bytes / 2}) {
    const auto part = std::span(content).subspan(at, bytes / 2);
    if (const absl::Status status = (*writer)->Append("state", part); !status.ok()) return status;
  }
  if (const absl::Status status = (*writer)->Append("notes", ContentOf(step, 10)); !status.ok()) return status;
  CheckpointManifest manifest;
  manifest.validation_loss = loss;
  manifest.made_by = "a node";
  return (*writer)->Commit(manifest).status();
}

inline std::vector<uint8_t> BytesOf(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::unique_ptr<CheckpointFolder> OpenFolder(
    const std::string& path, std::function<absl::Status(const std::string&)> before_change = nullptr) {
  auto folder = CheckpointFolder::Open({.path = path, .before_change = std::move(before_change)});
  return folder.ok() ? *std::move(folder) : nullptr;
}

inline std::vector<uint64_t> StepsIn(const CheckpointFolder& folder) {
  std::vector<uint64_t> steps;
  const auto list = folder.List();
  if (!list.ok()) return {UINT64_MAX};
  for (const ListedCheckpoint& listed : *list) steps.push_back(listed.step);
  return steps;
}

}  // namespace enigma::engine::testing
