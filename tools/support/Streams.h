// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The standard input and output of a program, and inputs that are read once from front to back.
#ifndef CHIMERA_TOOLS_SUPPORT_STREAMS_H
#define CHIMERA_TOOLS_SUPPORT_STREAMS_H

#include "runtime/io/Result.h"

#include <cstdio>
#include <string>

namespace chimera::tools {

/// The name on a command line that stands for the standard input.
inline constexpr const char *standardInput = "-";

/// Whether `path` is to be read by `readAll`: the standard input, a pipe, a terminal or another device.
bool isStream(const std::string &path);

/// The name of an input in messages: "<stdin>" for `standardInput`, else the path in quotes.
std::string nameOfInput(const std::string &path);

/// Reads everything up to the end: a file, a pipe, a device, or the standard input. Errors name the input: it cannot be
/// opened or read, it is a folder.
io::Result<std::string> readAll(const std::string &path);

/// Flushes a stream, which messages call "<stdout>". The error, with its reason: something that was written is lost.
io::Status flush(std::FILE *stream);

/// Call this first in main. Where the standard input, output or error was closed by whoever started the program, the
/// next file to be opened would get its number, and what is meant for a reader would go into that file. This opens the
/// null device in their place, in the direction that makes every use of them an error.
void keepStandardStreams();

} // namespace chimera::tools

#endif // CHIMERA_TOOLS_SUPPORT_STREAMS_H
