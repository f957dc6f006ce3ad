// The binding: buffer checks, release of the GIL, results to tuples.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "binding.hpp"
#include "hidden.hpp"
#include "migrate.hpp"
#include "pagemap.hpp"
#include "sort_out.hpp"
#include "syscalls.hpp"
#include "untold.hpp"
#include "whole_file.hpp"
#include "witness.hpp"

namespace py = pybind11;
using namespace pybind11::literals;

namespace {

using movepages::checked;
using movepages::kNodes;
using movepages::kPages;
using movepages::kStatus;
using movepages::Outcome;
using movepages::Pause;
using movepages::raised;
using movepages::Request;
using movepages::require_apart;
using movepages::require_length;
using movepages::Target;
using movepages::to_int;
using movepages::to_python;

constexpr char kUntoldName[] = "movepages.untold";

// Statuses of pages that were not attempted, or None where the kernel gives no room for them.
py::object untold(std::size_t count) {
  auto room = std::make_unique<movepages::Untold>(count);
  std::int32_t* start = room->start();
  if (start == nullptr) return py::none();
  const py::capsule owner(room.get(), kUntoldName,
                          [](void* mine) { delete static_cast<movepages::Untold*>(mine); });
  static_cast<void>(room.release());
  return py::array_t<std::int32_t>(static_cast<py::ssize_t>(count), start, owner);
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

  if (py::isinstance<py::capsule>(status_array.base())) {
    const auto owner = py::reinterpret_borrow<py::capsule>(status_array.base());
    if (owner.name() != nullptr && std::strcmp(owner.name(), kUntoldName) == 0)
      request.untold = owner.get_pointer<movepages::Untold>()->take();
  }
  // A large move comes here slice by slice, which is no reason to begin anew.
  thread_local movepages::Pace pace;
  request.pace = &pace;
  const Pause interrupt = {raised, pause.ptr()};
  Outcome outcome;
  {
    const py::gil_scoped_release release;
    outcome = movepages::move_pages(request, interrupt, movepages::real_kernel());
  }
  py::object failure = to_python(outcome);
  if (outcome.interrupted) return py::make_tuple(std::move(failure), outcome.told);
  return failure;
}

// Status of each page and whether it is as wanted; and index, address and node of those to be
// moved.
py::tuple sort_out(const py::object& pages, const py::object& before, const py::object& wanted) {
  const py::array pages_array = checked(pages, kPages);
  const py::array before_array = checked(before, kNodes);
  const py::array wanted_array = checked(wanted, kNodes);
  require_length(before_array, kNodes, pages_array.size());
  require_length(wanted_array, kNodes, pages_array.size());
  const movepages::ToSort slice = {static_cast<std::size_t>(pages_array.size()),
                                   static_cast<const std::uintptr_t*>(pages_array.data()),
                                   static_cast<const std::int32_t*>(before_array.data()),
                                   static_cast<const std::int32_t*>(wanted_array.data())};
  if (std::any_of(slice.wanted, slice.wanted + slice.count,
                  [](std::int32_t node) { return node >= movepages::kMaxNodes; })) {
    throw py::value_error("wanted: no node has a number as large");
  }
  py::array_t<std::int32_t> status(pages_array.size());
  py::array_t<bool> there(pages_array.size());
  std::vector<std::size_t> begin =
      movepages::sort_out(slice, status.mutable_data(), there.mutable_data());
  const std::size_t total = std::accumulate(begin.begin(), begin.end(), std::size_t{0});
  std::exclusive_scan(begin.begin(), begin.end(), begin.begin(), std::size_t{0});
  const auto moving = static_cast<py::ssize_t>(total);
  py::array_t<std::int64_t> index(moving);
  py::array_t<std::uintptr_t> addresses(moving);
  py::array_t<std::int32_t> nodes(moving);
  movepages::group(slice, status.data(), &begin, index.mutable_data(), addresses.mutable_data(),
                   nodes.mutable_data());
  return py::make_tuple(status, there, index, addresses, nodes);
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

py::object read_file(const std::string& path) {
  std::string content;
  int error = 0;
  {
    const py::gil_scoped_release release;
    error = movepages::read_whole_file(path.c_str(), &content);
  }
  if (error != 0) {
    errno = error;
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
    throw py::error_already_set();
  }
  // py::bytes has a RuntimeError for want of memory.
  PyObject* bytes =
      PyBytes_FromStringAndSize(content.data(), static_cast<py::ssize_t>(content.size()));
  if (bytes == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(bytes);
}

// numpy would have to understand the format; where a buffer begins does not depend on it.
std::uintptr_t buffer_address(const py::object& view) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(view.ptr(), &buffer, PyBUF_FULL_RO) != 0) throw py::error_already_set();
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.buf);
  PyBuffer_Release(&buffer);
  return address;
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
  // pybind11 has a RuntimeError for a bytes, list, tuple or str that there is no memory for.
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const std::runtime_error& error) {
      if (std::strncmp(error.what(), "Could not allocate", 18) != 0) throw;
      PyErr_NoMemory();
    }
  });
  module.doc() = "move_pages(2) on numpy arrays, in place and with the GIL released.";
  module.attr("MPOL_MF_MOVE") = movepages::kMpolMfMove;
  module.attr("MPOL_MF_MOVE_ALL") = movepages::kMpolMfMoveAll;
  module.attr("MAX_NODES") = movepages::kMaxNodes;
  module.attr("NOT_ATTEMPTED") = movepages::kNotAttempted;
  module.def("move_pages", &move_pages, "pages"_a, "nodes"_a, "status"_a, "pid"_a, "flags"_a,
             "pause"_a,
             "Query or move; None, (errno, index of the refused node or -1), or (what was raised, "
             "pages behind which none was attempted).");
  module.def("untold", &untold, "count"_a,
             "Statuses of pages not attempted, unwritten; None where there is no room for them.");
  module.def(
      "allowed_nodes", &allowed_nodes,
      "Nodes with memory that the cpuset of this thread allows; None where a sandbox hides it.");
  module.def("read_file", &read_file, "path"_a, "All that a file holds; OSError if it says no.");
  module.def("is_own", &movepages::is_own, "pid"_a,
             "Whether this process, or a thread of it, has this number.");
  module.def("buffer_address", &buffer_address, "view"_a, "Where a buffer's first element is.");
  module.attr("FRAME_BYTES") = movepages::frame_bytes();
  module.attr("HIDDEN") = movepages::kHidden;
  module.def("sort_out", &sort_out, "pages"_a, "before"_a, "wanted"_a,
             "Status, whether as wanted; and index, address and node of pages to be moved.");
  movepages::bind_looks(module);
  movepages::bind_policy(module);
  movepages::bind_heap(module);
  movepages::bind_context(module);
  module.def("mempolicy_nodes", &mempolicy_nodes, "pages"_a,
             "Node of each page by get_mempolicy(2), or -errno; faults absent pages in.");
}
