// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/FileNames.h"

#include <filesystem>
#include <glob.h>
#include <system_error>

namespace chimera::train {

/// Appends the files of one pattern.
static io::Status expandPattern(const std::string &pattern, std::vector<std::string> &files) {
  glob_t found = {};
  int code = ::glob(pattern.c_str(), 0, nullptr, &found);
  for (size_t i = 0; code == 0 && i < found.gl_pathc; ++i)
    files.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (code == GLOB_NOMATCH)
    return io::Error{"--data: no file matches " + io::quote(pattern)};
  if (code != 0)
    return io::Error{"--data: cannot list the files of " + io::quote(pattern)};
  return {};
}

io::Result<std::vector<std::string>> expandFileNames(const std::string &list) {
  std::vector<std::string> files;
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find(',', at), list.size());
    std::string name = list.substr(at, end - at);
    at = end + 1;
    if (name.empty())
      return io::Error{"--data: " + io::quote(list) + ": an empty file name"};
    std::error_code ignored;
    if (std::filesystem::is_directory(name, ignored))
      return io::Error{"--data: " + io::quote(name) + " is a folder; a pattern names its files: " +
                       io::quote(name + (name.back() == '/' ? "*" : "/*"))};
    if (name.find_first_of("*?[") == std::string::npos)
      files.push_back(name);
    else if (io::Status status = expandPattern(name, files); !status)
      return status.error();
  }
  return files;
}

} // namespace chimera::train
