// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/train/data/Dataset.h"

#include "runtime/train/data/FileNames.h"
#include "runtime/train/data/Generators.h"
#include "runtime/train/data/Streams.h"

namespace chimera::train {

const char *positionClassName(PositionClass kind) {
  static constexpr const char *names[] = {"other", "key", "value", "query", "filler"};
  return names[size_t(kind)];
}

io::Result<std::unique_ptr<Dataset>> openDataset(const DataOptions &options) {
  std::string name = options.spec.substr(0, options.spec.find(':'));
  if (isGenerator(name)) {
    io::Result<DataSpec> spec = DataSpec::parse(options.spec);
    if (!spec)
      return spec.error();
    return makeGenerator(std::move(*spec), options);
  }
  io::Result<std::vector<DataFile>> files = expandFileNames(options.spec);
  if (!files)
    return files.error();
  return Streams::open(*files, options);
}

} // namespace chimera::train
