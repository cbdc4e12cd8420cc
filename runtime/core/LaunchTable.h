// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program's launches, ready for a device.
#ifndef CHIMERA_RUNTIME_CORE_LAUNCHTABLE_H
#define CHIMERA_RUNTIME_CORE_LAUNCHTABLE_H

#include "runtime/core/Manifest.h"
#include "runtime/device/Device.h"

#include <functional>
#include <vector>

namespace chimera::runtime {

/// What a step is about: the first arguments of every kernel.
struct StepCounts {
  int64_t rows = 0, seqs = 0, outputs = 0;
  int64_t stride = 0; ///< The page table's entries a slot.
};

/// A launch table with every buffer resolved to a device address.
class LaunchTable {
public:
  /// `phase` must outlive the table; it has a kernel a launch. `resolve` gives a buffer's address; page tables move, so
  /// theirs are set before each step.
  void bind(const Device &device, const Phase &phase, std::vector<chimera_kernel> kernels,
            const std::function<void *(const Buffer &)> &resolve);

  /// Null before `bind`.
  const Phase *phase() const { return program; }

  /// Sets the address of every page table, by its index.
  template <typename Function> void setTables(const Function &addressOf) {
    for (const TablePointer &entry : tables)
      words[entry.word] = wordOf(addressOf(entry.table));
  }
  /// Sets what the step's launches are about; its arrays are on the device already.
  void begin(const StepCounts &step);
  /// The blocks that a launch has in this step; 0: it has nothing to do.
  int64_t blocks(size_t launch) const;
  /// A launch of so many blocks; valid until the next bind.
  BoundLaunch launch(size_t index, int64_t blocks) const {
    return {kernels[index],
            reinterpret_cast<void *const *>(words.data() + firstWord[index]),
            words.data() + firstArg[index],
            blocks,
            program->launches[index].threads,
            (index + 1 < firstWord.size() ? firstWord[index + 1] : words.size()) - firstWord[index]};
  }

private:
  struct TablePointer {
    size_t word; ///< Into `words`.
    size_t table;
  };

  static int64_t wordOf(const void *address) { return int64_t(reinterpret_cast<intptr_t>(address)); }

  const Phase *program = nullptr;
  std::vector<chimera_kernel> kernels; ///< One a launch.
  StepCounts counts;
  std::vector<int64_t> words;          ///< Of each launch the addresses of its buffers, then its arguments.
  std::vector<size_t> firstWord;       ///< Of each launch.
  std::vector<size_t> firstArg;        ///< Of each launch, into `words`.
  std::vector<const int32_t *> starts; ///< Of each launch, the array that counts its rows; null: all of the step.
  std::vector<TablePointer> tables;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_CORE_LAUNCHTABLE_H
