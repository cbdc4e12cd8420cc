// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/cache/Snapshot.h"

#include "runtime/cache/Cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <string>

namespace chimera::runtime {

/// The last of its characters is the version of the format.
static constexpr char magic[] = "CHIMSEQ2";
static constexpr size_t magicSize = 8;

namespace {

class Writer {
public:
  template <typename T> void number(T value) {
    for (size_t i = 0; i < sizeof(T); ++i)
      bytes.push_back(uint8_t(uint64_t(value) >> (8 * i)));
  }
  void text(const std::string &value) {
    number(uint32_t(value.size()));
    bytes.insert(bytes.end(), value.begin(), value.end());
  }
  /// Room for `size` bytes that the caller fills.
  uint8_t *room(size_t size) {
    bytes.resize(bytes.size() + size);
    return bytes.data() + bytes.size() - size;
  }

  void digest(const Digest &value) { std::memcpy(room(value.size()), value.data(), value.size()); }

  std::vector<uint8_t> bytes;
};

class Reader {
public:
  explicit Reader(ByteSpan span) : rest(span) {}

  /// The next `size` bytes; null when there are fewer.
  const uint8_t *take(uint64_t size) {
    if (size > rest.size)
      return nullptr;
    const uint8_t *start = rest.data;
    rest.data += size;
    rest.size -= size_t(size);
    return start;
  }
  /// The next number; 0 when there are too few bytes.
  template <typename T> T number() {
    const uint8_t *from = take(sizeof(T));
    return from ? numberAt<T>(from) : T();
  }
  template <typename T> static T numberAt(const uint8_t *from) {
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value |= uint64_t(from[i]) << (8 * i);
    return T(value);
  }
  std::string text() {
    uint32_t size = number<uint32_t>();
    const uint8_t *from = take(size);
    return from ? std::string(reinterpret_cast<const char *>(from), size) : std::string();
  }
  /// Whether the next bytes are this digest.
  bool isNext(const Digest &digest) {
    const uint8_t *from = take(digest.size());
    return from && std::memcmp(from, digest.data(), digest.size()) == 0;
  }
  bool atEnd() const { return rest.size == 0; }

private:
  ByteSpan rest;
};

} // namespace

std::vector<uint8_t> writeSnapshot(const Model &model, const Digest &weights, Device &device, const Cache &cache,
                                   int32_t slot, int64_t position) {
  Writer writer;
  int64_t pages = 0, pageBytes = cache.pages().pageBytes();
  for (size_t l = 0; l < cache.listCount(); ++l)
    pages += pagesFor(cache.length(l, slot));
  writer.bytes.reserve(size_t(cache.slots().bytesPerSlot() + pages * pageBytes) + 256);
  std::memcpy(writer.room(magicSize), magic, magicSize);
  writer.digest(model.digest());
  writer.number(position);
  writer.text(model.variant().name);
  writer.text(model.manifest().numerics);
  writer.digest(weights);
  for (size_t pool = 0; pool < cache.slots().count(); ++pool) {
    size_t size = cache.slots().bytesAt(pool);
    device.download(writer.room(size), cache.slots().at(pool, slot), size);
  }
  for (size_t l = 0; l < cache.listCount(); ++l)
    for (int64_t i = 0; i < pagesFor(cache.length(l, slot)); ++i)
      device.download(writer.room(size_t(pageBytes)), cache.pages().at(cache.page(l, slot, i)), size_t(pageBytes));
  writer.number(uint64_t(XXH3_64bits(writer.bytes.data(), writer.bytes.size())));
  return std::move(writer.bytes);
}

/// Checks that all i64 of a pool are counts of tokens among `position`.
static Failure checkCounts(const Manifest &manifest, const SnapshotView &view, int64_t pool) {
  for (int64_t at = 0; at < manifest.pools[size_t(pool)].bytesPerSlot; at += 8) {
    int64_t count = Reader::numberAt<int64_t>(view.pools[size_t(pool)] + at);
    if (count < 0 || count > view.position)
      return Error("the snapshot says " + std::to_string(count) + " in " +
                   io::quote(manifest.pools[size_t(pool)].name) + " for a sequence of " +
                   std::to_string(view.position) + " tokens");
  }
  return std::nullopt;
}

static Failure readContent(const Manifest &manifest, Reader &reader, SnapshotView &view) {
  for (const Pool &pool : manifest.pools) {
    view.pools.push_back(reader.take(uint64_t(pool.bytesPerSlot)));
    if (!view.pools.back())
      return Error("the snapshot is too short");
  }
  view.lists.resize(size_t(manifest.pages.tables));
  for (const CacheLayout &cache : manifest.caches) {
    if (cache.kind == CacheKind::Tail || cache.kind == CacheKind::State)
      continue;
    // Counts and lengths stand in a cache's last pool.
    if (Failure failure = checkCounts(manifest, view, cache.pools.back()))
      return failure;
    if (cache.kind == CacheKind::List)
      view.lists[size_t(cache.table)].length = Reader::numberAt<int64_t>(view.pools[size_t(cache.pools[0])]);
  }
  for (SnapshotView::List &list : view.lists) {
    uint64_t size;
    if (__builtin_mul_overflow(uint64_t(pagesFor(list.length)), uint64_t(manifest.pages.bytes), &size) ||
        !(list.pages = reader.take(size)))
      return Error("the snapshot is too short");
  }
  return std::nullopt;
}

/// Whether the bytes begin as a snapshot of the format that is written here.
static Failure checkFormat(ByteSpan bytes) {
  if (bytes.size < magicSize + 8 || std::memcmp(bytes.data, magic, magicSize - 1) != 0)
    return Error("not a snapshot of a sequence");
  std::string version(1, char(bytes.data[magicSize - 1])), wanted(1, magic[magicSize - 1]);
  if (version != wanted)
    return Error("the snapshot is of format " + io::quote(version) + ", this runtime reads " + io::quote(wanted) +
                 "; feed the sequence's tokens again");
  return std::nullopt;
}

Result<SnapshotView> readSnapshot(const Model &model, const Digest &weights, ByteSpan bytes) {
  if (Failure failure = checkFormat(bytes))
    return *failure;
  ByteSpan body{bytes.data, bytes.size - 8};
  if (Reader::numberAt<uint64_t>(bytes.data + body.size) != XXH3_64bits(body.data, body.size))
    return Error("corrupt snapshot: the checksum does not match");
  Reader reader(body);
  reader.take(magicSize);
  if (!reader.isNext(model.digest()))
    return Error("the snapshot is of another model binary than " + model.name());
  SnapshotView view;
  view.position = reader.number<int64_t>();
  if (view.position < 0 || view.position > mostPosition)
    return Error("the snapshot's position is out of range");
  std::string variant = reader.text(), numerics = reader.text();
  if (variant != model.variant().name || numerics != model.manifest().numerics)
    return Error("the snapshot is of variant " + io::quote(variant) + " with numerics " + io::quote(numerics) +
                 ", the model of " + io::quote(model.variant().name) + " with " + io::quote(model.manifest().numerics));
  if (!reader.isNext(weights))
    return Error("the snapshot was made with other weights than this session's");
  if (Failure failure = readContent(model.manifest(), reader, view))
    return *failure;
  if (!reader.atEnd())
    return Error("the snapshot is too long");
  return view;
}

} // namespace chimera::runtime
