// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Guessing how a text goes on, from the text itself.
#ifndef CHIMERA_TOOLS_GENERATION_NGRAMPROPOSER_H
#define CHIMERA_TOOLS_GENERATION_NGRAMPROPOSER_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace chimera::run {

/// Proposes that a text goes on as it did where it last read alike. Takes at most 24 bytes for each token. No result
/// may depend on what it proposes, as a model chooses for itself.
class NgramProposer {
public:
  /// The fewest tokens that must agree.
  static constexpr size_t least = 3;

  void append(const int32_t *tokens, size_t count);
  void append(int32_t token) { append(&token, 1); }

  /// Sets `proposal` to what followed the earlier place before which most tokens agree with those at the end of the
  /// text: no more tokens than agree, and no more than `most`.
  void propose(size_t most, std::vector<int32_t> &proposal) const;

private:
  size_t bucketAt(size_t end) const;
  size_t agreement(size_t place, size_t enough) const;
  void grow();

  std::vector<int32_t> text;
  std::vector<int32_t> before; ///< For each token, where the gram that ends with it stood before it; -1: nowhere.
  std::vector<int32_t> latest; ///< By a gram's bucket, where one ended last; grams may share a bucket.
};

} // namespace chimera::run

#endif // CHIMERA_TOOLS_GENERATION_NGRAMPROPOSER_H
