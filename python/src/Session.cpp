// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "python/src/Errors.h"
#include "python/src/Model.h"
#include "python/src/Module.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <optional>
#include <vector>

namespace py = pybind11;

namespace chimera::python {

namespace {

using Tokens = py::array_t<int32_t, py::array::c_style>;
using Modes = py::array_t<int8_t, py::array::c_style>;

/// The items of a step with copies of what Python's arrays hold: another thread may write to those while the step runs.
struct Work {
  std::vector<chimera_step_item> items;
  std::vector<int32_t> tokens;
  std::vector<int8_t> forced;
  int64_t rows = 0, outputs = 0;

  /// Takes (sequence, tokens [count], forced [count, layers] or None, chimera_logits) for each item.
  Work(const py::list &entries, int64_t layers);
};

/// A session. A call in which another thread is lets every other call fail; what is closed meanwhile lives until that
/// call has returned.
class Session {
public:
  Session(const Model &model, const Weights *weights, const chimera_session_options &options);

  void close() {
    std::shared_ptr<chimera_session> last;
    std::swap(last, handle);
    py::gil_scoped_release released;
    last.reset();
  }
  bool closed() const { return !handle; }

  chimera_sequence add();
  void drop(chimera_sequence sequence);
  chimera_sequence fork(chimera_sequence sequence);
  int64_t position(chimera_sequence sequence) const;
  py::bytes snapshot(chimera_sequence sequence) const;
  chimera_sequence restore(const py::bytes &snapshot);
  py::tuple step(const py::list &entries, bool wantsRouting);
  py::tuple memory(chimera_sequence sequence) const;

private:
  /// The session, kept alive by who calls. Throws Failure when it is closed.
  std::shared_ptr<chimera_session> open() const {
    if (!handle)
      throw Failure("the session is closed");
    return handle;
  }

  chimera_model_info info;
  std::shared_ptr<chimera_session> handle; ///< Changed under the interpreter's lock only.
};

} // namespace

static int64_t rowsWanted(int64_t count, int32_t logits) {
  return logits == CHIMERA_LOGITS_ALL ? count : logits == CHIMERA_LOGITS_LAST && count ? 1 : 0;
}

Work::Work(const py::list &entries, int64_t layers) {
  struct Part {
    Tokens tokens;
    std::optional<Modes> forced;
  };
  std::vector<Part> parts;
  bool anyForced = false;
  for (py::handle entry : entries) {
    auto fields = py::cast<py::tuple>(entry);
    if (fields.size() != 4 || !py::isinstance<Tokens>(fields[1]) || !py::isinstance<py::int_>(fields[0]) ||
        !(fields[2].is_none() || py::isinstance<Modes>(fields[2])))
      throw py::type_error("an item is (sequence, int32 tokens, int8 modes or None, logits)");
    Part part{py::reinterpret_borrow<Tokens>(fields[1]), std::nullopt};
    if (part.tokens.ndim() != 1)
      throw py::value_error("tokens must have one dimension");
    if (!fields[2].is_none()) {
      part.forced = py::reinterpret_borrow<Modes>(fields[2]);
      if (part.forced->ndim() != 2 || part.forced->shape(0) != part.tokens.size() || part.forced->shape(1) != layers)
        throw py::value_error("forced modes must have the shape [tokens, layers]");
      anyForced = true;
    }
    auto logits = py::cast<int32_t>(fields[3]);
    int64_t count = part.tokens.size();
    items.push_back({py::cast<chimera_sequence>(fields[0]), nullptr, count, nullptr, logits});
    rows += count;
    outputs += rowsWanted(count, logits);
    parts.push_back(std::move(part));
  }
  tokens.reserve(size_t(rows));
  forced.reserve(anyForced ? size_t(rows * layers) : 0);
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part &part = parts[i];
    items[i].tokens = tokens.data() + tokens.size();
    tokens.insert(tokens.end(), part.tokens.data(), part.tokens.data() + part.tokens.size());
    if (!part.forced)
      continue;
    items[i].forced = forced.data() + forced.size();
    forced.insert(forced.end(), part.forced->data(), part.forced->data() + part.forced->size());
  }
}

Session::Session(const Model &model, const Weights *weights, const chimera_session_options &options)
    : info(model.info()) {
  ErrorSlot error;
  chimera_session *made = nullptr;
  error.check(
      chimera_session_create(model.handle().get(), weights ? weights->handle() : nullptr, &options, &made, error));
  handle.reset(made, chimera_session_free);
}

chimera_sequence Session::add() {
  std::shared_ptr<chimera_session> session = open();
  ErrorSlot error;
  chimera_sequence sequence = 0;
  error.check(chimera_sequence_add(session.get(), &sequence, error));
  return sequence;
}

void Session::drop(chimera_sequence sequence) {
  std::shared_ptr<chimera_session> session = open();
  ErrorSlot error;
  error.check(chimera_sequence_drop(session.get(), sequence, error));
}

chimera_sequence Session::fork(chimera_sequence sequence) {
  std::shared_ptr<chimera_session> session = open();
  py::gil_scoped_release released;
  ErrorSlot error;
  chimera_sequence copy = 0;
  error.check(chimera_sequence_fork(session.get(), sequence, &copy, error));
  return copy;
}

int64_t Session::position(chimera_sequence sequence) const {
  std::shared_ptr<chimera_session> session = open();
  ErrorSlot error;
  int64_t position = 0;
  error.check(chimera_sequence_position(session.get(), sequence, &position, error));
  return position;
}

py::bytes Session::snapshot(chimera_sequence sequence) const {
  std::shared_ptr<chimera_session> session = open();
  void *bytes = nullptr;
  size_t size = 0;
  {
    py::gil_scoped_release released;
    ErrorSlot error;
    error.check(chimera_sequence_snapshot(session.get(), sequence, &bytes, &size, error));
  }
  std::unique_ptr<void, void (*)(void *)> owned(bytes, chimera_bytes_free);
  return {static_cast<const char *>(bytes), size};
}

chimera_sequence Session::restore(const py::bytes &snapshot) {
  std::shared_ptr<chimera_session> session = open();
  char *bytes = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(snapshot.ptr(), &bytes, &size) != 0)
    throw py::error_already_set();
  py::gil_scoped_release released;
  ErrorSlot error;
  chimera_sequence sequence = 0;
  error.check(chimera_sequence_restore(session.get(), bytes, size_t(size), &sequence, error));
  return sequence;
}

py::tuple Session::step(const py::list &entries, bool wantsRouting) {
  std::shared_ptr<chimera_session> session = open();
  Work work(entries, info.layers);
  py::dtype type = info.logits_dtype == CHIMERA_DTYPE_F64 ? py::dtype::of<double>() : py::dtype::of<float>();
  py::array logits(type, std::vector<py::ssize_t>{work.outputs, info.vocab_size});
  py::object routing = py::none();
  int8_t *modes = nullptr;
  if (wantsRouting) {
    Modes made(std::vector<py::ssize_t>{work.rows, info.layers});
    modes = made.mutable_data();
    routing = std::move(made);
  }
  void *row = logits.mutable_data();
  auto bytes = size_t(logits.nbytes()), modeBytes = modes ? size_t(work.rows * info.layers) : 0;
  {
    py::gil_scoped_release released;
    ErrorSlot error;
    error.check(chimera_step(session.get(), work.items.data(), work.items.size(), row, bytes, modes, modeBytes, error));
  }
  return py::make_tuple(std::move(logits), std::move(routing));
}

py::tuple Session::memory(chimera_sequence sequence) const {
  std::shared_ptr<chimera_session> session = open();
  chimera_memory memory = {};
  memory.struct_size = sizeof memory;
  ErrorSlot error;
  error.check(chimera_memory_use(session.get(), sequence, &memory, error));
  py::list reserved, used;
  for (int part = 0; part < CHIMERA_MEMORY_COUNT; ++part) {
    reserved.append(memory.reserved[part]);
    used.append(memory.used[part]);
  }
  return py::make_tuple(std::move(reserved), std::move(used));
}

static std::unique_ptr<Session> makeSession(const Model &model, const Weights *weights, int64_t threads,
                                            int64_t maxSequences, int64_t memoryLimit, bool poison) {
  chimera_session_options options = {};
  options.struct_size = sizeof options;
  options.threads = threads;
  options.max_sequences = maxSequences;
  options.memory_limit = memoryLimit;
  options.flags = poison ? CHIMERA_SESSION_POISON : 0;
  py::gil_scoped_release released;
  return std::make_unique<Session>(model, weights, options);
}

void bindSession(py::module_ &module) {
  py::class_<Session>(module, "Session")
      .def(py::init(&makeSession), py::arg("model"), py::arg("weights"), py::arg("threads"), py::arg("max_sequences"),
           py::arg("memory_limit"), py::arg("poison"))
      .def("close", &Session::close)
      .def("closed", &Session::closed)
      .def("add", &Session::add)
      .def("drop", &Session::drop)
      .def("fork", &Session::fork)
      .def("position", &Session::position)
      .def("snapshot", &Session::snapshot)
      .def("restore", &Session::restore)
      .def("step", &Session::step)
      .def("memory", &Session::memory);
}

} // namespace chimera::python
