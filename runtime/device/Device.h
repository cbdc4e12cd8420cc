// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the executor and the caches ask of the place where kernels run.
#ifndef CHIMERA_RUNTIME_DEVICE_DEVICE_H
#define CHIMERA_RUNTIME_DEVICE_DEVICE_H

#include "runtime/core/Error.h"
#include "runtime/device/FloatingPoint.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace chimera::runtime {

/// A range of a device's addresses. It is reserved as a whole and gets memory from its start as it grows, so that its
/// base never moves.
struct Region {
  uint8_t *base = nullptr;
  size_t reserved = 0;
  size_t committed = 0; ///< The first bytes that may be touched.
  size_t page = 4096;   ///< It grows by whole pages of this size.
};

/// The least multiple that is not less than `bytes`.
constexpr size_t roundUp(size_t bytes, size_t multiple) {
  return (bytes + multiple - 1) / multiple * multiple;
}

/// One launch with its buffers resolved to device addresses. The arguments follow the addresses in memory: together
/// they are a GPU kernel's one parameter.
struct BoundLaunch {
  chimera_kernel kernel = nullptr; ///< Of a GPU: its device's handle.
  void *const *buffers = nullptr;
  const int64_t *args = nullptr;
  int64_t blocks = 0;
  int64_t threads = 0; ///< Of a thread block.
  size_t words = 0;    ///< The buffers and arguments.
};

/// A device. Calls come from one thread at a time and take effect in order; `download` waits for what it reads. What a
/// call without a result cannot do, and what the device says too late for any result, `failure` tells: from then on the
/// device does nothing more, downloads are zeros, and what it holds is lost.
class Device {
public:
  virtual ~Device() = default;

  /// Reserves addresses, page aligned, without memory behind them. `what` names the use in messages. `large`: much of
  /// it will be used at once, so huge pages pay where the system has them.
  virtual Result<Region> reserve(size_t bytes, const char *what, bool large = false) = 0;
  /// Makes at least the first `bytes` of a region usable; new memory is zero. `bytes` <= reserved.
  virtual Failure commit(Region &region, size_t bytes) = 0;
  virtual void release(Region &region) = 0;

  virtual void fill(void *to, int byte, size_t bytes) = 0;
  virtual void copy(void *to, const void *from, size_t bytes) = 0;
  virtual void upload(void *to, const void *fromHost, size_t bytes) = 0;
  virtual void download(void *toHost, const void *from, size_t bytes) = 0;
  /// The device's address of host bytes that stay where they are and never change. It keeps a copy of what it cannot
  /// read.
  virtual Result<void *> constant(const void *host, size_t bytes) = 0;
  /// The device's address of host bytes that change between launches; null when it cannot read them.
  virtual void *addressOf(const void *host) { return nullptr; }

  /// Where the host reads what is at a device's address as cheaply as its own memory; null: nowhere.
  virtual const void *hostView(const void *address) const { return nullptr; }

  /// What its kernels do with subnormals.
  virtual Subnormals subnormals() const { return Subnormals::Flush; }

  /// Takes in the code of a binary's kernels, PTX that ends with a zero byte. Only for devices that do not run the
  /// binary's own code.
  virtual Failure load(const std::string &image) { return Error("the device takes no image of kernels"); }
  /// The handle of a kernel of what was loaded, or null.
  virtual chimera_kernel kernel(const std::string &symbol) { return nullptr; }
  virtual void launch(const BoundLaunch &launch) = 0;
  /// Waits for all that was asked for.
  virtual void finish() {}
  /// Why the device is lost, if it is.
  virtual Failure failure() const { return std::nullopt; }

  /// The bytes that the caches may take unless a limit is set.
  virtual int64_t usableMemory() const = 0;

  /// Calls function(context), which makes many launches, so that what a device does around them is done once. Not
  /// nested.
  virtual void together(void (*function)(void *), void *context) { function(context); }
};

/// The same for a function object.
template <typename Body> void launchTogether(Device &device, Body body) {
  device.together([](void *raw) { (*static_cast<Body *>(raw))(); }, &body);
}

/// The most bytes, `wish` or less, of which twice as many could be reserved now: of what a limit of address space
/// leaves, half stays for others. 0 when there is no room for a page.
size_t reservable(Device &device, size_t wish);

/// The region of a device, released at the end of its life. Move-only.
class OwnedRegion {
public:
  OwnedRegion() = default;
  OwnedRegion(Device &device, Region region) : device(&device), content(region) {}
  OwnedRegion(OwnedRegion &&other) noexcept : device(other.device), content(other.content) { other.device = nullptr; }
  OwnedRegion &operator=(OwnedRegion &&other) noexcept {
    std::swap(device, other.device);
    std::swap(content, other.content);
    return *this;
  }
  ~OwnedRegion() {
    if (device)
      device->release(content);
  }

  Region &operator*() { return content; }
  const Region &operator*() const { return content; }
  Region *operator->() { return &content; }
  const Region *operator->() const { return &content; }

private:
  Device *device = nullptr;
  Region content;
};

} // namespace chimera::runtime

#endif // CHIMERA_RUNTIME_DEVICE_DEVICE_H
