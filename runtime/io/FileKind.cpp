// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/io/FileKind.h"

#include "runtime/io/Affixes.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace chimera::io {

using std::string_view;

/// Whether a page of a web server begins so: a page, or the answer of a store that says that there is no such file.
static bool isWebPage(string_view text) {
  if (startsWith(text, "\xEF\xBB\xBF"))
    text.remove_prefix(3);
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  std::string lower(text.substr(0, 16));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return char(std::tolower(c)); });
  return startsWith(lower, "<!doctype html") || startsWith(lower, "<html") || startsWith(lower, "<?xml");
}

/// A pickle begins with its protocol, then a frame (4 and 5), or an empty container, a global or a long (2 and 3).
static bool isPickle(string_view text) {
  if (text.size() < 3 || text[0] != '\x80')
    return false;
  if (text[1] == 4 || text[1] == 5)
    return text[2] == '\x95';
  return (text[1] == 2 || text[1] == 3) && string_view("}](c\x8a").find(text[2]) != string_view::npos;
}

static bool isSafetensors(string_view text) {
  // The length of a header, less than 2^32, and its brace.
  return text.size() > 9 && text.substr(4, 4) == string_view("\0\0\0\0", 4) && text[8] == '{' &&
         (text[9] == '"' || text[9] == '}');
}

/// Whether the bytes may be the beginning of a text in UTF-8: no control characters, and after a byte that begins a
/// character of several as many as it says, or the end.
static bool isText(string_view text) {
  size_t following = 0;
  for (unsigned char c : text) {
    bool follows = (c & 0xC0) == 0x80;
    if (follows != (following > 0))
      return false;
    if (follows)
      --following;
    else if (c >= 0xC0)
      following = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    else if (c == 0x7F || (c < 0x20 && (c < 9 || c > 13)))
      return false;
  }
  return true;
}

/// The name of a packed file's program.
static const char *compression(string_view text) {
  if (startsWith(text, "\x1f\x8b\x08"))
    return "gzip";
  if (startsWith(text, "\x28\xb5\x2f\xfd"))
    return "zstd";
  if (startsWith(text, string_view("\xfd"
                                   "7zXZ\0",
                                   6)))
    return "xz";
  if (startsWith(text, "BZh") && text.size() > 9 && text.substr(4, 6) == "1AY&SY")
    return "bzip2";
  return nullptr;
}

static const char *conversion(Wanted wanted) {
  switch (wanted) {
  case Wanted::Checkpoint:
  case Wanted::Index:
    return ": convert it to safetensors";
  case Wanted::Array:
  case Wanted::Data:
    return ": save it as .npy (numpy.save)";
  case Wanted::Config:
  case Wanted::Model:
    break;
  }
  return "";
}

/// Archives and packed files: what is wanted may be inside.
static std::string archiveKind(Wanted wanted, string_view text) {
  if (startsWith(text, "PK\x03\x04") || startsWith(text, "PK\x05\x06"))
    return std::string("is a zip archive, as numpy.savez and torch.save write") + conversion(wanted);
  if (const char *program = compression(text))
    return std::string("is compressed with ") + program + ": decompress it first";
  if (text.size() > 262 && text.substr(257, 5) == "ustar")
    return "is a tar archive: unpack it first";
  if (isPickle(text))
    return std::string("is a Python pickle, as torch.save and pickle.dump write") + conversion(wanted);
  return {};
}

/// Files of models and data that other readers take.
static std::string formatKind(Wanted wanted, string_view text) {
  if (startsWith(text, "GGUF"))
    return "is a GGUF file, a format of llama.cpp: take the model's safetensors files";
  if (startsWith(text, "\x89HDF\r\n"))
    return std::string("is an HDF5 file") + conversion(wanted);
  if (wanted != Wanted::Model && startsWith(text, "\x7f"
                                                  "ELF"))
    return "is an ELF file: a program, or a model binary";
  if (wanted != Wanted::Array && startsWith(text, "\x93NUMPY"))
    return wanted == Wanted::Data ? "is a NumPy array: its name must end in .npy" : "is a NumPy array";
  if (wanted != Wanted::Checkpoint && isSafetensors(text))
    return "is a safetensors file: weights";
  if (startsWith(text, "PAR1") || startsWith(text, "ARROW1"))
    return "is a table (Parquet or Arrow): write its texts to a file, or its token ids to a .npy file";
  if (startsWith(text, "%PDF-"))
    return "is a PDF document: extract its text first";
  return {};
}

std::string mistakenFile(Wanted wanted, const void *start, size_t size) {
  string_view text(static_cast<const char *>(start), std::min(size, kindBytes));
  if (wanted == Wanted::Checkpoint && isSafetensors(text))
    return {};
  if (startsWith(text, "version https://git-lfs.github.com/spec/"))
    return "is a Git LFS pointer, not the file itself: run 'git lfs pull'";
  for (auto kindOf : {archiveKind, formatKind})
    if (std::string kind = kindOf(wanted, text); !kind.empty())
      return kind;
  if (wanted == Wanted::Data)
    return {}; // Any text will do.
  if (text.empty())
    return "is empty";
  if (isWebPage(text))
    return "is a web page, not the file itself: download it again, by the address of the file";
  if (wanted == Wanted::Index || wanted == Wanted::Config || !isText(text))
    return {};
  if (wanted == Wanted::Checkpoint && text[0] == '{')
    return "is JSON, not a checkpoint; the name of an index of shards must end in .json";
  const char *name = wanted == Wanted::Checkpoint ? "a checkpoint" : wanted == Wanted::Array ? "an array" : "a model";
  return std::string("is text, not ") + name;
}

Error mistaken(Wanted wanted, const std::string &path, const void *start, size_t size, const std::string &otherwise) {
  std::string kind = mistakenFile(wanted, start, size);
  return Error{quote(path) + ": " + (kind.empty() ? otherwise : kind)};
}

} // namespace chimera::io
