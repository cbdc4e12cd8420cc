// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tools/chimera-serve/TextStream.h"

namespace chimera::serve {

using io::Result;

Result<std::string> TextStream::push(int32_t token) {
  if (!decoder)
    return std::string();
  Result<std::string> part = decoder->push(token);
  if (!part)
    return part;
  std::string passed;
  wellFormed.push(stop.push(*part), passed);
  return passed;
}

Result<std::string> TextStream::end() {
  if (!decoder)
    return std::string();
  Result<std::string> part = decoder->flush();
  if (!part)
    return part;
  std::string rest;
  wellFormed.push(stop.push(*part), rest);
  wellFormed.push(stop.flush(), rest);
  wellFormed.finish(rest);
  return rest;
}

} // namespace chimera::serve
