// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A library in the place of NVIDIA's driver, so that the runtime's use of it is tested without a GPU. It is as strict
// and as lazy as the real one may be: work waits in its stream until something synchronises, fresh memory holds
// garbage, what is not mapped cannot be touched, and misuse ends the process with a line. Kernels are those of a binary
// for sim of the same model.
//
// The environment says what it is like:
//   CHIMERA_FAKE_CUDA_CODE     the binary for sim
//   CHIMERA_FAKE_CUDA_DEVICES  how many GPUs it has (1)
//   CHIMERA_FAKE_CUDA_MEMORY   their bytes (2^30)
//   CHIMERA_FAKE_CUDA_FAIL     this call fails, from 1
//   CHIMERA_FAKE_CUDA_CALLS    a file to write the number of calls to when the context is released
#include "runtime/device/cuda/DriverApi.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <map>
#include <string>
#include <sys/mman.h>
#include <vector>

using namespace chimera::runtime::cuda;

namespace {

constexpr Status invalidValue = 1, notInitialised = 3, launchFailed = 719;
constexpr size_t granule = 65536;

[[noreturn]] void misuse(const std::string &what) {
  std::fprintf(stderr, "fake driver: %s\n", what.c_str());
  std::abort();
}

int64_t setting(const char *name, int64_t otherwise) {
  const char *text = std::getenv(name);
  return text && *text ? std::atoll(text) : otherwise;
}

using Kernel = void (*)(const void *buffers, const void *args, int64_t begin, int64_t end);

struct Entry {
  Kernel kernel;
  unsigned threads;
  size_t parameterBytes;
};

struct Driver {
  int64_t calls = 0, failing = setting("CHIMERA_FAKE_CUDA_FAIL", 0);
  bool started = false, current = false, image = false, stream = false, failed = false;
  size_t used = 0;
  std::map<Memory, size_t> memory;    ///< By handle, until it is released.
  std::map<Address, size_t> reserved; ///< By base.
  std::map<Address, size_t> mapped;   ///< By begin; may be touched once access is set.
  std::vector<std::function<void()>> queue;
  std::map<std::string, Entry> entries;
  void *code = nullptr;

  /// Counts a call. Whether it is the one that fails.
  bool fails() {
    failed |= ++calls == failing;
    return calls == failing;
  }

  /// Ends the process unless all the bytes are mapped.
  void touch(const char *what, Address from, size_t bytes) const {
    while (bytes) {
      auto piece = mapped.upper_bound(from);
      if (piece == mapped.begin() || (--piece)->first + piece->second <= from)
        misuse(std::string(what) + " touches memory that is not mapped");
      size_t here = std::min<size_t>(bytes, piece->first + piece->second - from);
      from += here;
      bytes -= here;
    }
  }

  void synchronise() {
    for (const std::function<void()> &work : queue)
      work();
    queue.clear();
  }
} driver;

uint8_t *pointer(Address address) {
  return reinterpret_cast<uint8_t *>(uintptr_t(address));
}

/// The number after `key` in `text`, from `at` on.
size_t numberAfter(const std::string &text, const std::string &key, size_t at) {
  size_t found = text.find(key, at);
  return found == std::string::npos ? 0 : size_t(std::atoll(text.c_str() + found + key.size()));
}

/// Finds the entries of PTX and, for each, the same kernel of the binary for sim.
Status readImage(const std::string &ptx) {
  const char *path = std::getenv("CHIMERA_FAKE_CUDA_CODE");
  driver.code = dlopen(path ? path : "", RTLD_NOW | RTLD_LOCAL);
  if (!driver.code)
    misuse(std::string("no code: ") + dlerror());
  const std::string visible = ".visible .entry ";
  for (size_t at = ptx.find(visible); at != std::string::npos; at = ptx.find(visible, at + 1)) {
    size_t begin = at + visible.size();
    std::string name = ptx.substr(begin, ptx.find('(', begin) - begin);
    auto kernel = reinterpret_cast<Kernel>(dlsym(driver.code, name.c_str()));
    if (!kernel)
      misuse("the binary for sim has no " + name);
    driver.entries[name] = {kernel, unsigned(numberAfter(ptx, ".maxntid ", at)),
                            numberAfter(ptx, name + "_param_0[", at)};
  }
  return driver.entries.empty() ? invalidValue : success;
}

} // namespace

#define FAKE(call)                                                                                                     \
  if (driver.fails())                                                                                                  \
    return launchFailed;                                                                                               \
  if (!driver.started)                                                                                                 \
  return notInitialised

#define FAKE_IN_CONTEXT(call)                                                                                          \
  FAKE(call);                                                                                                          \
  if (!driver.current)                                                                                                 \
  misuse(#call " without a current context")

extern "C" {

Status cuGetErrorName(Status status, const char **name) {
  *name = status == outOfMemory    ? "CUDA_ERROR_OUT_OF_MEMORY"
          : status == launchFailed ? "CUDA_ERROR_LAUNCH_FAILED"
                                   : "CUDA_ERROR_OTHER";
  return success;
}

Status cuGetErrorString(Status status, const char **text) {
  *text = status == outOfMemory ? "out of memory" : "unspecified launch failure";
  return success;
}

Status cuInit(unsigned) {
  if (driver.fails())
    return launchFailed;
  driver.started = true;
  return success;
}

Status cuDeviceGetCount(int *count) {
  FAKE(cuDeviceGetCount);
  *count = int(setting("CHIMERA_FAKE_CUDA_DEVICES", 1));
  return success;
}

Status cuDeviceGet(DeviceNumber *device, int index) {
  FAKE(cuDeviceGet);
  *device = index;
  return success;
}

Status cuDeviceGetName(char *name, int size, DeviceNumber) {
  FAKE(cuDeviceGetName);
  std::snprintf(name, size_t(size), "Fake GPU");
  return success;
}

Status cuDeviceGetAttribute(int *value, int attribute, DeviceNumber) {
  FAKE(cuDeviceGetAttribute);
  *value = attribute == CapabilityMajor ? 8 : attribute == CapabilityMinor ? 0 : attribute == VirtualMemory ? 1 : -1;
  return *value < 0 ? invalidValue : success;
}

Status cuDevicePrimaryCtxRetain(Context *context, DeviceNumber) {
  FAKE(cuDevicePrimaryCtxRetain);
  *context = reinterpret_cast<Context>(&driver);
  return success;
}

Status cuDevicePrimaryCtxRelease_v2(DeviceNumber) {
  FAKE(cuDevicePrimaryCtxRelease);
  if (!driver.failed && (!driver.mapped.empty() || !driver.reserved.empty() || !driver.memory.empty()))
    misuse("memory is left");
  if (!driver.failed && (driver.image || driver.stream))
    misuse("an image or a stream is left");
  if (const char *path = std::getenv("CHIMERA_FAKE_CUDA_CALLS"))
    if (std::FILE *file = std::fopen(path, "w")) {
      std::fprintf(file, "%lld", static_cast<long long>(driver.calls));
      std::fclose(file);
    }
  return success;
}

Status cuCtxSetCurrent(Context context) {
  FAKE(cuCtxSetCurrent);
  driver.current = context != nullptr;
  return success;
}

Status cuMemGetInfo_v2(size_t *free, size_t *total) {
  FAKE_IN_CONTEXT(cuMemGetInfo);
  *total = size_t(setting("CHIMERA_FAKE_CUDA_MEMORY", int64_t(1) << 30));
  *free = *total - std::min(*total, driver.used);
  return success;
}

Status cuModuleLoadDataEx(Image *image, const void *data, unsigned, int *, void **) {
  FAKE_IN_CONTEXT(cuModuleLoadDataEx);
  *image = reinterpret_cast<Image>(&driver.image);
  driver.image = true;
  return readImage(static_cast<const char *>(data));
}

Status cuModuleUnload(Image) {
  FAKE_IN_CONTEXT(cuModuleUnload);
  driver.image = false;
  return success;
}

Status cuModuleGetFunction(Function *function, Image, const char *name) {
  FAKE_IN_CONTEXT(cuModuleGetFunction);
  auto found = driver.entries.find(name);
  if (found == driver.entries.end())
    return invalidValue;
  *function = reinterpret_cast<Function>(&found->second);
  return success;
}

Status cuStreamCreate(Stream *stream, unsigned) {
  FAKE_IN_CONTEXT(cuStreamCreate);
  *stream = reinterpret_cast<Stream>(&driver.stream);
  driver.stream = true;
  return success;
}

Status cuStreamDestroy_v2(Stream) {
  FAKE_IN_CONTEXT(cuStreamDestroy);
  driver.stream = false;
  return success;
}

Status cuStreamSynchronize(Stream) {
  if (driver.calls + 1 == driver.failing)
    driver.queue.clear(); // What was waited for is lost: nobody looks after the host's memory that it would write.
  FAKE_IN_CONTEXT(cuStreamSynchronize);
  driver.synchronise();
  return success;
}

Status cuMemGetAllocationGranularity(size_t *bytes, const MemoryProperties *properties, int) {
  FAKE_IN_CONTEXT(cuMemGetAllocationGranularity);
  *bytes = granule;
  return properties->type == 1 && properties->location.type == 1 ? success : invalidValue;
}

Status cuMemAddressReserve(Address *base, size_t bytes, size_t, Address, unsigned long long) {
  FAKE_IN_CONTEXT(cuMemAddressReserve);
  if (bytes == 0 || bytes % granule)
    misuse("reserves " + std::to_string(bytes) + " bytes of addresses");
  void *got = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED)
    return outOfMemory;
  *base = Address(reinterpret_cast<uintptr_t>(got));
  driver.reserved[*base] = bytes;
  return success;
}

Status cuMemAddressFree(Address base, size_t bytes) {
  FAKE_IN_CONTEXT(cuMemAddressFree);
  auto found = driver.reserved.find(base);
  if (found == driver.reserved.end() || found->second != bytes)
    misuse("frees addresses that it has not reserved");
  munmap(pointer(base), bytes);
  driver.reserved.erase(found);
  return success;
}

Status cuMemCreate(Memory *handle, size_t bytes, const MemoryProperties *, unsigned long long) {
  FAKE_IN_CONTEXT(cuMemCreate);
  if (bytes == 0 || bytes % granule)
    misuse("takes " + std::to_string(bytes) + " bytes of memory");
  if (driver.used + bytes > size_t(setting("CHIMERA_FAKE_CUDA_MEMORY", int64_t(1) << 30)))
    return outOfMemory;
  static Memory next = 0;
  driver.used += bytes;
  driver.memory[ *handle = ++next] = bytes;
  return success;
}

Status cuMemRelease(Memory handle) {
  FAKE_IN_CONTEXT(cuMemRelease);
  if (!driver.memory.erase(handle))
    misuse("releases memory that it does not have");
  return success;
}

Status cuMemMap(Address to, size_t bytes, size_t offset, Memory handle, unsigned long long) {
  FAKE_IN_CONTEXT(cuMemMap);
  auto range = driver.reserved.upper_bound(to);
  if (range == driver.reserved.begin() || (--range)->first + range->second < to + bytes)
    misuse("maps memory to addresses that it has not reserved");
  if (offset || !driver.memory.count(handle) || driver.memory[handle] != bytes)
    misuse("maps other memory than it has");
  auto after = driver.mapped.lower_bound(to);
  if (after != driver.mapped.end() && after->first < to + bytes)
    misuse("maps memory twice");
  driver.mapped[to] = bytes;
  return success;
}

Status cuMemUnmap(Address from, size_t bytes) {
  FAKE_IN_CONTEXT(cuMemUnmap);
  auto found = driver.mapped.find(from);
  if (found == driver.mapped.end() || found->second != bytes)
    misuse("unmaps what it has not mapped");
  if (!driver.failed && !driver.queue.empty())
    misuse("unmaps memory while work is in the stream");
  driver.queue.clear();
  mmap(pointer(from), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  driver.used -= bytes;
  driver.mapped.erase(found);
  return success;
}

Status cuMemSetAccess(Address from, size_t bytes, const MemoryAccess *access, size_t count) {
  FAKE_IN_CONTEXT(cuMemSetAccess);
  if (count != 1 || access->flags != 3 || access->location.type != 1)
    return invalidValue;
  driver.touch("cuMemSetAccess", from, bytes);
  mprotect(pointer(from), bytes, PROT_READ | PROT_WRITE);
  std::memset(pointer(from), 0xA5, bytes);
  return success;
}

Status cuMemsetD8Async(Address to, unsigned char byte, size_t bytes, Stream) {
  FAKE_IN_CONTEXT(cuMemsetD8Async);
  driver.touch("cuMemsetD8Async", to, bytes);
  driver.queue.push_back([=] { std::memset(pointer(to), byte, bytes); });
  return success;
}

Status cuMemcpyDtoDAsync_v2(Address to, Address from, size_t bytes, Stream) {
  FAKE_IN_CONTEXT(cuMemcpyDtoDAsync);
  driver.touch("cuMemcpyDtoDAsync", to, bytes);
  driver.touch("cuMemcpyDtoDAsync", from, bytes);
  driver.queue.push_back([=] { std::memcpy(pointer(to), pointer(from), bytes); });
  return success;
}

Status cuMemcpyHtoDAsync_v2(Address to, const void *from, size_t bytes, Stream) {
  FAKE_IN_CONTEXT(cuMemcpyHtoDAsync);
  driver.touch("cuMemcpyHtoDAsync", to, bytes);
  std::string staged(static_cast<const char *>(from), bytes); // As the driver does with memory that is not pinned.
  driver.queue.push_back([to, staged] { std::memcpy(pointer(to), staged.data(), staged.size()); });
  return success;
}

Status cuMemcpyDtoHAsync_v2(void *to, Address from, size_t bytes, Stream) {
  FAKE_IN_CONTEXT(cuMemcpyDtoHAsync);
  driver.touch("cuMemcpyDtoHAsync", from, bytes);
  driver.queue.push_back([=] { std::memcpy(to, pointer(from), bytes); });
  return success;
}

Status cuLaunchKernel(Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned threadsX,
                      unsigned threadsY, unsigned threadsZ, unsigned sharedBytes, Stream, void **parameters,
                      void **extra) {
  FAKE_IN_CONTEXT(cuLaunchKernel);
  const Entry &entry = *reinterpret_cast<const Entry *>(function);
  if (gridX == 0 || gridY != 1 || gridZ != 1 || threadsX != entry.threads || threadsY != 1 || threadsZ != 1 ||
      sharedBytes != 0 || parameters)
    misuse("launches a kernel otherwise than it wants");
  if (extra[0] != parameterBuffer || extra[2] != parameterSize || extra[4])
    misuse("passes parameters otherwise than as bytes");
  size_t bytes = *static_cast<size_t *>(extra[3]);
  if (bytes != entry.parameterBytes)
    misuse("passes " + std::to_string(bytes) + " bytes of parameters where " + std::to_string(entry.parameterBytes) +
           " are wanted");
  std::string values(static_cast<const char *>(extra[1]), bytes);
  driver.queue.push_back([&entry, gridX, values] {
    std::vector<int64_t> words(values.size() / sizeof(int64_t));
    std::memcpy(words.data(), values.data(), values.size());
    entry.kernel(words.data(), nullptr, 0, gridX);
  });
  return success;
}

} // extern "C"
