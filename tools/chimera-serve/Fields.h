// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading the fields of a request's JSON, each by what it may be. The first thing wrong is kept; after it every read
// gives a default, so that a caller may ask once at the end.
#ifndef CHIMERA_TOOLS_CHIMERASERVE_FIELDS_H
#define CHIMERA_TOOLS_CHIMERASERVE_FIELDS_H

#include "tools/chimera-serve/ApiError.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace chimera::serve {

/// The fields of an object. null counts as no value.
class Fields {
public:
  /// The object must live longer. Where it is part of another, `prefix` ("stream_options.") stands before its fields.
  explicit Fields(const nlohmann::json &object, std::string prefix = "") : object(object), prefix(std::move(prefix)) {}

  /// A field's value, or null where it has none. From now on the field is known.
  const nlohmann::json *find(const char *name);

  bool boolean(const char *name);
  std::optional<int64_t> integer(const char *name, int64_t low, int64_t high);
  std::optional<double> number(const char *name);
  std::optional<std::string> string(const char *name);

  /// A field that is not supported, but for the one value with which it changes nothing.
  void neutral(const char *name, const nlohmann::json &value);
  /// A field that changes nothing that is computed.
  void ignore(const char *name) { (void)find(name); }

  void fail(const std::string &name, const std::string &message);
  void fail(ApiError error);
  bool failed() const { return first.has_value(); }
  /// The first thing wrong, a field that nobody asked for among them.
  std::optional<ApiError> finish();

private:
  const nlohmann::json &object;
  std::string prefix;
  std::set<std::string> known;
  std::optional<ApiError> first;
};

} // namespace chimera::serve

#endif // CHIMERA_TOOLS_CHIMERASERVE_FIELDS_H
