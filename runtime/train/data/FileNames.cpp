// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/FileNames.h"

#include <filesystem>
#include <glob.h>
#include <string_view>
#include <system_error>
#include <utility>

namespace chimera::train {

/// Appends the files of one pattern.
static io::Status expandPattern(const std::string &pattern, FileForm form, std::vector<DataFile> &files) {
  glob_t found = {};
  int code = ::glob(pattern.c_str(), 0, nullptr, &found);
  for (size_t i = 0; code == 0 && i < found.gl_pathc; ++i)
    files.push_back({found.gl_pathv[i], form});
  ::globfree(&found);
  if (code == GLOB_NOMATCH)
    return io::Error{"--data: no file matches " + io::quote(pattern)};
  if (code != 0)
    return io::Error{"--data: cannot list the files of " + io::quote(pattern)};
  return {};
}

/// What a name begins with; it is taken off.
static FileForm takeForm(std::string &name) {
  for (auto [prefix, form] : {std::pair("u16:", FileForm::U16), std::pair("u32:", FileForm::U32)})
    if (name.rfind(prefix, 0) == 0) {
      name.erase(0, std::string_view(prefix).size());
      return form;
    }
  return FileForm::ByName;
}

io::Result<std::vector<DataFile>> expandFileNames(const std::string &list) {
  std::vector<DataFile> files;
  for (size_t at = 0; at <= list.size();) {
    size_t end = std::min(list.find(',', at), list.size());
    std::string name = list.substr(at, end - at);
    at = end + 1;
    FileForm form = takeForm(name);
    if (name.empty())
      return io::Error{"--data: " + io::quote(list) + ": an empty file name"};
    std::error_code ignored;
    if (std::filesystem::is_directory(name, ignored))
      return io::Error{"--data: " + io::quote(name) + " is a folder; a pattern names its files: " +
                       io::quote(name + (name.back() == '/' ? "*" : "/*"))};
    if (name.find_first_of("*?[") == std::string::npos)
      files.push_back({name, form});
    else if (io::Status status = expandPattern(name, form, files); !status)
      return status.error();
  }
  return files;
}

} // namespace chimera::train
