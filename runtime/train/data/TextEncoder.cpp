// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/TextEncoder.h"

#include "runtime/io/File.h"
#include "runtime/train/data/TokenBin.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>

namespace chimera::train {

using Ids = io::Result<std::vector<int32_t>>;

static Ids encodeFile(const std::string &path, const TextEncoding &how) {
  io::Result<std::string> text = io::readWhole(path);
  if (!text)
    return text.error();
  Ids ids = how.tokenizer->encode(*text, {true, how.parseSpecial});
  if (!ids)
    return io::Error{io::quote(path) + ": " + ids.error().message};
  if (how.end && (ids->empty() || ids->back() != *how.end))
    ids->push_back(*how.end);
  if (io::Status status = how.tokenizer->checkIds(*ids, how.vocabulary); !status)
    return io::Error{io::quote(path) + ": " + status.error().message};
  return ids;
}

/// The ids of the files first .. end-1; what a thread throws is thrown here.
static std::vector<Ids> encodeSome(const std::vector<std::string> &paths, size_t first, size_t end,
                                   const TextEncoding &how) {
  std::vector<Ids> results(end - first, Ids(std::vector<int32_t>()));
  std::atomic<size_t> next = first;
  auto work = [&] {
    for (size_t i = next++; i < end; i = next++)
      results[i - first] = encodeFile(paths[i], how);
  };
  std::vector<std::future<void>> threads;
  for (size_t i = 1; i < std::min(size_t(how.threads), end - first); ++i)
    threads.push_back(std::async(std::launch::async, work));
  work();
  for (std::future<void> &thread : threads)
    thread.get();
  return results;
}

/// Where the files end that are encoded together with file `first`: their ids are in memory at the same time.
static size_t endOfGroup(const std::vector<std::string> &paths, size_t first, int64_t threads) {
  constexpr uint64_t bytesOfThread = uint64_t(8) << 20;
  uint64_t most = bytesOfThread * uint64_t(threads), bytes = 0;
  size_t end = first;
  do {
    std::error_code code;
    uint64_t size = std::filesystem::file_size(paths[end], code);
    bytes += code ? 0 : size;
    ++end;
  } while (end < paths.size() && bytes < most);
  return end;
}

io::Status encodeTexts(const std::vector<std::string> &paths, const TextEncoding &how, const std::string &out) {
  io::Result<TokenBinWriter> writer = TokenBinWriter::create(out, how.vocabulary);
  if (!writer)
    return writer.error();
  for (size_t first = 0; first < paths.size();) {
    if (how.mayGoOn)
      if (io::Status status = how.mayGoOn(); !status)
        return status;
    size_t end = endOfGroup(paths, first, how.threads);
    for (const Ids &ids : encodeSome(paths, first, end, how)) {
      if (!ids)
        return ids.error();
      if (io::Status status = writer->append(*ids); !status)
        return status;
    }
    first = end;
  }
  return writer->commit();
}

} // namespace chimera::train
