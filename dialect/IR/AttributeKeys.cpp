// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dictionaries of known keys.

#include "dialect/IR/AttributeKeys.h"

#include "runtime/abi/Layout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace chimera;
using namespace chimera::ir;

/// "must be ..., got ATTR".
static std::string mustBe(const llvm::Twine &what, Attribute attr) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << "must be " << what << ", got " << attr;
  return text;
}

LogicalResult ir::checkKeys(EmitError emitError, StringRef where, Attribute attr, ArrayRef<AttributeKey> keys) {
  auto dictionary = dyn_cast<DictionaryAttr>(attr);
  if (!dictionary) {
    return emitError() << where << " must be a dictionary, got " << attr;
  }
  for (const AttributeKey &key : keys) {
    Attribute value = dictionary.get(key.name);
    if (!value && key.optional) {
      continue;
    }
    if (!value) {
      return emitError() << where << ": '" << key.name << "' is missing";
    }
    if (std::string fault = key.check(value); !fault.empty()) {
      return emitError() << where << ": '" << key.name << "' " << fault;
    }
  }
  for (NamedAttribute entry : dictionary) {
    if (llvm::none_of(keys, [&](const AttributeKey &key) { return key.name == entry.getName().getValue(); })) {
      return emitError() << where << ": '" << entry.getName().getValue() << "' is not one of its keys";
    }
  }
  return success();
}

LogicalResult ir::checkKeysOfEach(EmitError emitError, StringRef where, Attribute attr, ArrayRef<AttributeKey> keys) {
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array) {
    return emitError() << where << " must be an array of dictionaries, got " << attr;
  }
  for (auto [i, entry] : llvm::enumerate(array)) {
    if (failed(checkKeys(emitError, (where + "[" + llvm::Twine(i) + "]").str(), entry, keys))) {
      return failure();
    }
  }
  return success();
}

std::string ir::checkIntegerIn(Attribute attr, int64_t low, int64_t high) {
  auto integer = dyn_cast<IntegerAttr>(attr);
  if (!integer || !integer.getType().isSignlessInteger(64)) {
    return mustBe("an i64", attr);
  }
  int64_t value = integer.getInt();
  if (value >= low && value <= high) {
    return {};
  }
  return ("must be in " + llvm::Twine(low) + " .. " + llvm::Twine(high) + ", got " + llvm::Twine(value)).str();
}

std::string ir::checkNumberIn(Attribute attr, double low, double high, bool open) {
  auto number = dyn_cast<FloatAttr>(attr);
  if (!number || !number.getType().isF64()) {
    return mustBe("an f64", attr);
  }
  double value = number.getValueAsDouble();
  if (value >= low && value <= high && !(open && value == low)) {
    return {};
  }
  std::string range;
  llvm::raw_string_ostream(range) << (open ? "above " : "in ") << llvm::format("%g", low)
                                  << (open ? " and at most " : " .. ") << llvm::format("%g", high);
  return mustBe(range, attr);
}

std::string ir::checkText(Attribute attr) {
  auto text = dyn_cast<StringAttr>(attr);
  bool fits = text && !text.getValue().empty() &&
              llvm::all_of(text.getValue(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  return fits ? std::string() : mustBe("a string of at least one character and no control characters", attr);
}

std::string ir::checkOneOf(Attribute attr, ArrayRef<const char *> names) {
  auto text = dyn_cast<StringAttr>(attr);
  if (text && llvm::any_of(names, [&](StringRef name) { return name == text.getValue(); })) {
    return {};
  }
  std::string list;
  for (const char *name : names) {
    list += (list.empty() ? "" : ", ") + std::string(name);
  }
  return mustBe("one of " + list, attr);
}

std::string ir::checkIntegers(Attribute attr) {
  return isa<DenseI64ArrayAttr>(attr) ? std::string() : mustBe("an array<i64>", attr);
}

std::string ir::checkUnit(Attribute attr) {
  return isa<UnitAttr>(attr) ? std::string() : mustBe("without a value", attr);
}

std::string ir::checkArray(Attribute attr) {
  return isa<ArrayAttr>(attr) ? std::string() : mustBe("an array", attr);
}

std::string ir::checkDictionary(Attribute attr) {
  return isa<DictionaryAttr>(attr) ? std::string() : mustBe("a dictionary", attr);
}

std::string ir::checkCacheMode(Attribute attr) {
  return checkOneOf(attr, abi::cacheModeNames);
}

std::string ir::checkDtype(Attribute attr) {
  return checkOneOf(attr, abi::dtypeNames);
}
