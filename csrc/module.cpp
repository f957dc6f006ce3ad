// The binding: buffer checks, release of the GIL, results to tuples. The only file with pybind11.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "migrate.hpp"
#include "pagemap.hpp"
#include "syscalls.hpp"
#include "witness.hpp"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using movepages::Outcome;
using movepages::Pause;
using movepages::Request;
using movepages::Target;
using Flags = py::detail::npy_api::constants;

// One buffer argument: what it must be, under the name the user knows it by.
struct Expected {
  const char* name;
  char kind;
  std::size_t itemsize;
  const char* dtype;
  bool writable;
  const char* remedy;
};

constexpr Expected kPages = {"pages", 'u',   sizeof(std::uintptr_t),
                             "uintp", false, "np.ascontiguousarray(pages, dtype=np.uintp)"};
constexpr Expected kNodes = {"nodes", 'i',   sizeof(std::int32_t),
                             "int32", false, "np.ascontiguousarray(nodes, dtype=np.int32)"};
constexpr Expected kStatus = {
    "status", 'i',  sizeof(std::int32_t),
    "int32",  true, "np.empty(len(pages), dtype=np.int32), or leave status out"};

std::string expected(const Expected& want, const std::string& given) {
  return std::string(want.name) + ": expected a " + (want.writable ? "writable, " : "") +
         "C-contiguous, aligned 1-d numpy array of native " + want.dtype + ", got " + given +
         "; pass " + want.remedy;
}

bool has_flag(const py::array& array, int flag) { return (array.flags() & flag) == flag; }

py::array checked(py::handle given, const Expected& want) {
  if (!py::isinstance<py::array>(given)) {
    throw py::type_error(expected(want, std::string("a ") + Py_TYPE(given.ptr())->tp_name));
  }
  auto array = py::reinterpret_borrow<py::array>(given);
  const py::dtype dtype = array.dtype();
  if (dtype.kind() != want.kind || static_cast<std::size_t>(dtype.itemsize()) != want.itemsize ||
      dtype.byteorder() != '=') {
    throw py::type_error(expected(want, "dtype " + std::string(py::str(dtype))));
  }
  if (array.ndim() != 1) {
    throw py::value_error(expected(want, std::to_string(array.ndim()) + " dimensions"));
  }
  if (!has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_)) {
    throw py::value_error(
        expected(want, "a stride of " + std::to_string(array.strides(0)) + " bytes"));
  }
  if (!has_flag(array, Flags::NPY_ARRAY_ALIGNED_)) {
    throw py::value_error(expected(want, "one that is not aligned to its item size"));
  }
  if (want.writable && !has_flag(array, Flags::NPY_ARRAY_WRITEABLE_)) {
    throw py::value_error(expected(want, "a read-only one"));
  }
  return array;
}

void require_length(const py::array& array, const Expected& want, py::ssize_t count) {
  if (array.size() != count) {
    throw py::value_error(std::string(want.name) + ": expected one entry for each of the " +
                          std::to_string(count) + " pages, got " + std::to_string(array.size()));
  }
}

void require_apart(const py::array& input, const Expected& want, const py::array& status) {
  const auto* a = static_cast<const char*>(input.data());
  const auto* b = static_cast<const char*>(status.data());
  if (a < b + status.nbytes() && b < a + input.nbytes()) {
    throw py::value_error(std::string(want.name) +
                          " and status share memory, and the kernel writes one while it reads the "
                          "other; give status a buffer of its own");
  }
}

// An int argument; what does not fit is `beyond`, a value the kernel has no use for either.
int to_int(py::handle given, const char* name, int beyond) {
  if (!PyIndex_Check(given.ptr()) || PyBool_Check(given.ptr())) {
    throw py::type_error(std::string(name) + ": expected an int, got a " +
                         Py_TYPE(given.ptr())->tp_name);
  }
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(given.ptr(), &overflow);
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  const bool fits = overflow == 0 && value == static_cast<int>(value);
  return fits ? static_cast<int>(value) : beyond;
}

// Whether a signal handler raised, or the caller's `pause`, if there is one. Signals reach Python
// code in the main thread alone, so without a `pause` other threads need not wait for the GIL.
bool raised(void* pause) noexcept {
  auto* call = static_cast<PyObject*>(pause);
  if (call == Py_None && ::syscall(SYS_gettid) != ::getpid()) return false;
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) return true;
  if (call == Py_None) return false;
  PyObject* answer = PyObject_CallNoArgs(call);
  Py_XDECREF(answer);
  return answer == nullptr;
}

// None for a clean call; (errno, index of the refused node or -1) for one that failed; for one that
// a signal or `pause` ended, what was raised: returned, so that nobody takes it for a refusal.
py::object to_python(const Outcome& outcome) {
  if (outcome.interrupted) {
    const py::error_already_set raised;
    if (raised.trace()) PyException_SetTraceback(raised.value().ptr(), raised.trace().ptr());
    return raised.value();
  }
  if (outcome.rejected && outcome.error == -ENOMEM) throw std::bad_alloc();
  if (outcome.error == 0) return py::none();
  const auto refused = outcome.rejected && outcome.error == -ENODEV
                           ? static_cast<py::ssize_t>(outcome.refused)
                           : py::ssize_t{-1};
  return py::make_tuple(-outcome.error, refused);
}

py::object move_pages(const py::object& pages, const py::object& nodes, const py::object& status,
                      const py::object& pid, const py::object& flags, const py::object& pause) {
  // First of all, as they may run code of the caller's.
  Request request;
  request.pid = to_int(pid, "pid", -1);
  if (request.pid == ::getpid()) request.pid = 0;
  request.flags = to_int(flags, "flags", -1);
  Target target;
  const bool one_node = !nodes.is_none() && !py::isinstance<py::array>(nodes);
  if (one_node) target.all = to_int(nodes, "nodes", -1);

  const py::array pages_array = checked(pages, kPages);
  py::array status_array = checked(status, kStatus);
  const py::ssize_t count = pages_array.size();
  require_length(status_array, kStatus, count);
  require_apart(pages_array, kPages, status_array);

  py::array nodes_array;
  if (!nodes.is_none() && !one_node) {
    nodes_array = checked(nodes, kNodes);
    require_length(nodes_array, kNodes, count);
    require_apart(nodes_array, kNodes, status_array);
    target.each = static_cast<const std::int32_t*>(nodes_array.data());
  }
  request.count = static_cast<std::size_t>(count);
  request.pages = static_cast<const std::uintptr_t*>(pages_array.data());
  request.target = nodes.is_none() ? nullptr : &target;
  request.status = static_cast<std::int32_t*>(status_array.mutable_data());

  const Pause interrupt = {raised, pause.ptr()};
  Outcome outcome;
  {
    const py::gil_scoped_release release;
    outcome = movepages::move_pages(request, interrupt, movepages::real_kernel());
  }
  return to_python(outcome);
}

py::array_t<std::int32_t> mempolicy_nodes(const py::object& pages) {
  const py::array pages_array = checked(pages, kPages);
  py::array_t<std::int32_t> nodes(pages_array.size());
  const auto* addresses = static_cast<const std::uintptr_t*>(pages_array.data());
  auto* out = nodes.mutable_data();
  const py::gil_scoped_release release;
  movepages::mempolicy_nodes(addresses, static_cast<std::size_t>(nodes.size()), out);
  return nodes;
}

// Ranges in [start, end) that huge pages map: (starts, ends), or None where it cannot be told.
py::object scan_huge(std::uintptr_t start, std::uintptr_t end, int pid) {
  constexpr std::size_t kRoom = 256;
  std::vector<movepages::Range> found;
  long ret = 0;
  {
    const py::gil_scoped_release release;
    movepages::Pagemap pagemap(pid);
    while (ret >= 0 && start < end) {
      const std::size_t before = found.size();
      const std::uintptr_t from = start;
      found.resize(before + kRoom);
      ret = movepages::scan_huge(pagemap, &start, end, found.data() + before, kRoom);
      found.resize(before + static_cast<std::size_t>(ret > 0 ? ret : 0));
      if (start <= from) break;
    }
  }
  if (ret < 0) return py::none();
  const auto count = static_cast<py::ssize_t>(found.size());
  py::array_t<std::uintptr_t> starts(count);
  py::array_t<std::uintptr_t> ends(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    starts.mutable_at(i) = found[static_cast<std::size_t>(i)].start;
    ends.mutable_at(i) = found[static_cast<std::size_t>(i)].end;
  }
  return py::make_tuple(starts, ends);
}

py::object allowed_nodes() {
  movepages::NodeMask mask;
  if (!movepages::real_kernel().allowed_nodes(mask)) return py::none();
  py::list nodes;
  for (std::int32_t node = 0; node < movepages::kMaxNodes; ++node) {
    if (mask.has(node)) nodes.append(node);
  }
  return nodes;
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "move_pages(2) on numpy arrays, in place and with the GIL released.";
  module.attr("MPOL_MF_MOVE") = movepages::kMpolMfMove;
  module.attr("MPOL_MF_MOVE_ALL") = movepages::kMpolMfMoveAll;
  module.attr("MAX_NODES") = movepages::kMaxNodes;
  module.attr("NOT_ATTEMPTED") = movepages::kNotAttempted;
  module.def("move_pages", &move_pages, "pages"_a, "nodes"_a, "status"_a, "pid"_a, "flags"_a,
             "pause"_a,
             "Query or move; None, (errno, index of the refused node or -1), or what was raised.");
  module.def(
      "allowed_nodes", &allowed_nodes,
      "Nodes with memory that the cpuset of this thread allows; None where a sandbox hides it.");
  module.def("scan_huge", &scan_huge, "start"_a, "end"_a, "pid"_a,
             "Starts and ends of what huge pages map in a range; None where it cannot be told.");
  module.def("mempolicy_nodes", &mempolicy_nodes, "pages"_a,
             "Node of each page by get_mempolicy(2), or -errno; faults absent pages in.");
}
