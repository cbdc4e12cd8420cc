// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/device/cuda/CudaDevice.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>

namespace chimera::runtime::cuda {

static constexpr size_t constantAlignment = 256; // What the driver's own allocations have.

static Address at(const void *address) {
  return Address(reinterpret_cast<uintptr_t>(address));
}

static MemoryProperties memoryOf(DeviceNumber number) {
  MemoryProperties properties = {};
  properties.type = 1;
  properties.location = {1, number};
  return properties;
}

Result<std::unique_ptr<CudaDevice>> CudaDevice::create() {
  Result<std::shared_ptr<const Driver>> driver = Driver::open();
  if (!driver)
    return driver.error();
  std::unique_ptr<CudaDevice> device(new CudaDevice(std::move(*driver)));
  if (Failure failure = device->open())
    return *failure;
  return device;
}

/// Names the device, and refuses one that the runtime cannot use.
Failure CudaDevice::describe() {
  std::array<char, 128> text = {};
  int major = 0, minor = 0, mapsMemory = 0;
  for (Status status : {driver->deviceGetName(text.data(), int(text.size()) - 1, number),
                        driver->deviceGetAttribute(&major, CapabilityMajor, number),
                        driver->deviceGetAttribute(&minor, CapabilityMinor, number),
                        driver->deviceGetAttribute(&mapsMemory, VirtualMemory, number)})
    if (status)
      return driver->error("asking a GPU what it is", status);
  name = io::escaped(text.data()) + ", sm_" + std::to_string(major) + std::to_string(minor);
  if (!mapsMemory)
    return Error("the GPU (" + name + ") cannot map memory to addresses", CHIMERA_ERROR_SYSTEM);
  return std::nullopt;
}

Failure CudaDevice::open() {
  int count = 0;
  Status status = driver->deviceGetCount(&count);
  if (status == noDevice || (!status && count == 0))
    return Error("there is no GPU that the NVIDIA driver may use (CUDA_VISIBLE_DEVICES chooses among those of the "
                 "machine)",
                 CHIMERA_ERROR_SYSTEM);
  if (status || (status = driver->deviceGet(&number, 0)))
    return driver->error("finding a GPU", status);
  if (Failure failure = describe())
    return failure;
  if ((status = driver->contextRetain(&context, number))) {
    context = nullptr;
    return driver->error("starting the GPU (" + name + ")", status);
  }
  if ((status = driver->contextSetCurrent(context)) || (status = driver->streamCreate(&stream, nonBlocking)))
    return driver->error("starting the GPU (" + name + ")", status);
  MemoryProperties properties = memoryOf(number);
  if ((status = driver->granularity(&granule, &properties, 0)))
    return driver->error("asking the GPU (" + name + ") how its memory is divided", status);
  granule = std::max<size_t>(granule, 1);
  return std::nullopt;
}

CudaDevice::~CudaDevice() {
  if (!context)
    return;
  driver->contextSetCurrent(context); // A device that is lost refuses all this; then the driver gives it back.
  release(copies);
  if (image)
    driver->imageUnload(image);
  if (stream)
    driver->streamDestroy(stream);
  driver->contextSetCurrent(nullptr);
  driver->contextRelease(number);
}

/// Makes the device the calling thread's; false when it is lost.
bool CudaDevice::enter() {
  return !lost && check("choosing the GPU", driver->contextSetCurrent(context));
}

/// Whether a call went well; from the first that did not, the device is lost.
bool CudaDevice::check(const char *what, Status status) {
  if (status && !lost)
    lost = Error(std::string("the GPU (") + name + ") failed: " + what + ": " + io::escaped(driver->textOf(status)) +
                     "; what the session holds is lost",
                 CHIMERA_ERROR_DEVICE);
  return !lost;
}

Result<Region> CudaDevice::reserve(size_t bytes, const char *what, bool large) {
  Region region;
  if (bytes == 0)
    return region;
  if (!enter())
    return *lost;
  region.page = granule;
  region.reserved = roundUp(bytes, granule);
  Address base = 0;
  if (Status status = driver->addressReserve(&base, region.reserved, 0, 0, 0))
    return driver->error("reserving " + std::to_string(bytes) + " bytes of the GPU's addresses for " + what, status);
  region.base = reinterpret_cast<uint8_t *>(uintptr_t(base));
  return region;
}

/// Puts memory behind the next bytes of a region, whole granules.
Failure CudaDevice::map(Region &region, size_t bytes) {
  std::string what = "getting " + std::to_string(bytes) + " bytes of the GPU's memory";
  MemoryProperties properties = memoryOf(number);
  Memory memory = 0;
  if (Status status = driver->memoryCreate(&memory, bytes, &properties, 0))
    return driver->error(what, status);
  Address to = at(region.base + region.committed);
  Status status = driver->memoryMap(to, bytes, 0, memory, 0);
  driver->memoryRelease(memory); // It stays as long as it is mapped.
  if (status)
    return driver->error(what, status);
  MemoryAccess access = {{1, number}, 3};
  if ((status = driver->memorySetAccess(to, bytes, &access, 1)) || (status = driver->fill(to, 0, bytes, stream))) {
    driver->memoryUnmap(to, bytes);
    return driver->error(what, status);
  }
  pieces[region.base].push_back(bytes);
  region.committed += bytes;
  return std::nullopt;
}

Failure CudaDevice::commit(Region &region, size_t bytes) {
  if (bytes <= region.committed)
    return std::nullopt;
  if (!enter())
    return lost;
  return map(region, std::min(region.reserved, roundUp(bytes, granule)) - region.committed);
}

void CudaDevice::release(Region &region) {
  if (region.base) {
    driver->contextSetCurrent(context);
    driver->streamSynchronize(stream); // What still runs may touch it.
    Address next = at(region.base);
    for (size_t bytes : pieces[region.base]) {
      driver->memoryUnmap(next, bytes);
      next += bytes;
    }
    pieces.erase(region.base);
    driver->addressFree(at(region.base), region.reserved);
  }
  region = Region();
}

void CudaDevice::fill(void *to, int byte, size_t bytes) {
  if (bytes && enter())
    check("filling memory", driver->fill(at(to), static_cast<unsigned char>(byte), bytes, stream));
}

void CudaDevice::copy(void *to, const void *from, size_t bytes) {
  if (bytes && enter())
    check("copying memory", driver->copy(at(to), at(from), bytes, stream));
}

void CudaDevice::upload(void *to, const void *fromHost, size_t bytes) {
  // The host's memory is not pinned: the driver has its own copy of it when this returns.
  if (bytes && enter())
    check("copying to the GPU", driver->upload(at(to), fromHost, bytes, stream));
}

void CudaDevice::download(void *toHost, const void *from, size_t bytes) {
  if (!bytes)
    return;
  bool done = enter() && check("copying from the GPU", driver->download(toHost, at(from), bytes, stream)) &&
              check("running kernels", driver->streamSynchronize(stream));
  if (!done)
    std::memset(toHost, 0, bytes);
}

Result<void *> CudaDevice::constant(const void *host, size_t bytes) {
  auto found = constants.find(host);
  if (found != constants.end())
    return found->second;
  if (!copies.base) {
    Result<Region> region = reserve(size_t(std::max<int64_t>(usableMemory(), int64_t(granule))), "the weights", true);
    if (!region)
      return region.error();
    copies = *region;
  }
  size_t place = roundUp(copied, constantAlignment);
  if (bytes > copies.reserved - std::min(place, copies.reserved))
    return Error("the weights do not fit into the memory of the GPU (" + name + ")", CHIMERA_ERROR_LIMIT);
  if (Failure failure = commit(copies, place + bytes))
    return *failure;
  upload(copies.base + place, host, bytes);
  if (lost)
    return *lost;
  copied = place + bytes;
  void *address = copies.base + place;
  constants.emplace(host, address);
  return address;
}

Failure CudaDevice::load(const std::string &code) {
  if (!enter())
    return lost;
  std::array<char, 2048> log = {};
  std::array<int, 2> options = {ErrorLog, ErrorLogBytes};
  std::array<void *, 2> values = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  Status status = driver->imageLoad(&image, code.data(), unsigned(options.size()), options.data(), values.data());
  if (!status)
    return std::nullopt;
  image = nullptr;
  std::string text(log.data());
  text = text.substr(0, text.find('\n'));
  return driver->error("the GPU (" + name + ") does not take the kernels" +
                           (text.empty() ? "" : " (" + io::escaped(text) + ")"),
                       status);
}

chimera_kernel CudaDevice::kernel(const std::string &symbol) {
  Function found = nullptr;
  if (!enter() || driver->imageGetFunction(&found, image, symbol.c_str()))
    return nullptr;
  return reinterpret_cast<chimera_kernel>(found);
}

void CudaDevice::launch(const BoundLaunch &launch) {
  if (!enter())
    return;
  if (launch.blocks > INT_MAX) {
    lost = Error("a launch has " + std::to_string(launch.blocks) + " thread blocks, more than a GPU takes",
                 CHIMERA_ERROR_DEVICE);
    return;
  }
  size_t bytes = launch.words * sizeof(int64_t);
  void *extra[] = {parameterBuffer, const_cast<void **>(launch.buffers), parameterSize, &bytes, nullptr};
  check("launching a kernel",
        driver->launch(reinterpret_cast<Function>(launch.kernel), unsigned(launch.blocks), 1, 1,
                       unsigned(launch.threads), 1, 1, 0, stream, nullptr, static_cast<void **>(extra)));
}

void CudaDevice::finish() {
  if (enter())
    check("running kernels", driver->streamSynchronize(stream));
}

int64_t CudaDevice::usableMemory() const {
  size_t free = 0, total = 0;
  if (lost || driver->contextSetCurrent(context) || driver->memoryInfo(&free, &total))
    return 0;
  return int64_t(free);
}

} // namespace chimera::runtime::cuda
