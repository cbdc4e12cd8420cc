// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder for the files of one test.
#ifndef CHIMERA_TEST_RUNTIMEIO_TEMPFOLDER_H
#define CHIMERA_TEST_RUNTIMEIO_TEMPFOLDER_H

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace chimera::test {

using Bytes = std::vector<uint8_t>;

/// An empty folder, removed at the end.
class TempFolder {
public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "chimera-XXXXXX").string();
    if (!::mkdtemp(pattern.data()))
      throw std::runtime_error("cannot make a temporary folder");
    folder = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
  TempFolder(const TempFolder &) = delete;
  TempFolder &operator=(const TempFolder &) = delete;

  const std::string &path() const { return folder; }
  std::string file(const std::string &name) const { return folder + "/" + name; }

  /// Writes a file and returns its path.
  template <typename Content> std::string write(const std::string &name, const Content &content) const {
    std::ofstream(file(name), std::ios::binary)
        .write(reinterpret_cast<const char *>(content.data()), std::streamsize(content.size()));
    return file(name);
  }
  Bytes read(const std::string &name) const {
    std::ifstream stream(file(name), std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(stream), {});
  }
  /// The names of the files in it.
  size_t fileCount() const {
    return size_t(std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator()));
  }

private:
  std::string folder;
};

/// Calls `visit` with each mutant of `bytes`: one byte replaced (by each of a few values), removed or inserted, or the
/// end cut off, at every place.
template <typename Visit> void forEachMutant(const Bytes &bytes, Visit visit) {
  static constexpr uint8_t values[] = {0,   1,   9,   ' ', '"', '\'', ',',  '-',  '0', '9',
                                       ':', '[', ']', '{', '}', 0x7F, 0x80, 0xC3, 0xFF};
  for (size_t at = 0; at < bytes.size(); ++at) {
    Bytes mutant = bytes;
    for (uint8_t value : values) {
      mutant[at] = value;
      visit(mutant);
    }
    for (int bit = 0; bit < 8; ++bit) {
      mutant[at] = uint8_t(bytes[at] ^ (1 << bit));
      visit(mutant);
    }
    visit(Bytes(bytes.begin(), bytes.begin() + std::ptrdiff_t(at)));
    mutant = bytes;
    mutant.erase(mutant.begin() + std::ptrdiff_t(at));
    visit(mutant);
  }
  for (size_t at = 0; at <= bytes.size(); ++at) {
    for (uint8_t value : values) {
      Bytes mutant = bytes;
      mutant.insert(mutant.begin() + std::ptrdiff_t(at), value);
      visit(mutant);
    }
  }
}

/// Whether a message is one line, and says something.
inline bool isOneLine(const std::string &message) {
  return !message.empty() && message.find_first_of("\n\r") == std::string::npos;
}

} // namespace chimera::test

#endif // CHIMERA_TEST_RUNTIMEIO_TEMPFOLDER_H
