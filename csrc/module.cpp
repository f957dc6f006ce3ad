// The binding: buffer checks, release of the GIL, results to tuples.

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <vector>

#include "arguments.hpp"
#include "hidden.hpp"
#include "migrate.hpp"
#include "pagemap.hpp"
#include "presence.hpp"
#include "survey.hpp"
#include "syscalls.hpp"
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
using movepages::Request;
using movepages::require_apart;
using movepages::require_length;
using movepages::Target;
using movepages::to_int;

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
  std::vector<movepages::Region> found;
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
    const movepages::Region& region = found[static_cast<std::size_t>(i)];
    starts.mutable_at(i) = static_cast<std::uintptr_t>(region.start);
    ends.mutable_at(i) = static_cast<std::uintptr_t>(region.end);
  }
  return py::make_tuple(starts, ends);
}

constexpr movepages::Expected kCounts = {"pages", 'i',   sizeof(std::int64_t),
                                         "int64", false, "np.ascontiguousarray(pages, np.int64)"};

// Where the pages of ranges are: a failure as of move_pages(), and addresses, pages, statuses and
// kinds of runs in order.
py::tuple survey(const py::object& starts, const py::object& counts, const py::object& pid,
                 const py::object& flags, const py::object& threads, const py::object& fewest,
                 const py::object& pause) {
  movepages::SurveyRequest request;
  request.pid = to_int(pid, "pid", -1);
  if (request.pid == ::getpid()) request.pid = 0;
  request.flags = to_int(flags, "flags", -1);
  request.threads = static_cast<unsigned>(std::max(1, to_int(threads, "threads", 1)));
  const py::array start = checked(starts, kPages);
  const py::array count = checked(counts, kCounts);
  require_length(count, kCounts, start.size());
  const auto* first = static_cast<const std::uintptr_t*>(start.data());
  const auto* pages = static_cast<const std::int64_t*>(count.data());
  std::vector<movepages::PageRange> ranges;
  for (py::ssize_t i = 0; i < start.size(); ++i) {
    if (pages[i] > 0) ranges.push_back({first[i], static_cast<std::size_t>(pages[i])});
  }
  request.ranges = ranges.data();
  request.count = ranges.size();
  movepages::Kernel kernel = movepages::real_kernel();
  if (fewest.is_none()) {
    kernel.huge_until = nullptr;
  } else {
    request.fewest = static_cast<std::size_t>(std::max(1, to_int(fewest, "fewest", 1)));
  }
  const Pause interrupt = {raised, pause.ptr()};
  std::vector<movepages::SurveyRun> runs;
  Outcome outcome;
  {
    const py::gil_scoped_release release;
    outcome = movepages::survey(request, interrupt, kernel, &runs);
  }
  const auto found = static_cast<py::ssize_t>(runs.size());
  py::array_t<std::uintptr_t> addresses(found);
  py::array_t<std::int64_t> lengths(found);
  py::array_t<std::int32_t> status(found);
  py::array_t<std::uint8_t> kinds(found);
  for (py::ssize_t i = 0; i < found; ++i) {
    const movepages::SurveyRun& run = runs[static_cast<std::size_t>(i)];
    addresses.mutable_at(i) = run.start;
    lengths.mutable_at(i) = static_cast<std::int64_t>(run.pages);
    status.mutable_at(i) = run.status;
    kinds.mutable_at(i) = static_cast<std::uint8_t>(run.what);
  }
  return py::make_tuple(to_python(outcome), addresses, lengths, status, kinds);
}

// What the page tables hold in ranges on page borders: (starts, ends, kinds) of stretches in order,
// or None where it cannot be told.
py::object presence(const py::object& starts, const py::object& ends, const py::object& pid) {
  const int process = to_int(pid, "pid", -1);
  const py::array start = checked(starts, kPages);
  const py::array end = checked(ends, kPages);
  require_length(end, kPages, start.size());
  const auto* from = static_cast<const std::uintptr_t*>(start.data());
  const auto* to = static_cast<const std::uintptr_t*>(end.data());
  std::vector<movepages::PresenceRun> found;
  long error = 0;
  {
    const py::gil_scoped_release release;
    movepages::Pagemap pagemap(process);
    for (py::ssize_t i = 0; i < start.size() && error == 0; ++i) {
      movepages::PresenceWalk walk(pagemap, from[i], to[i]);
      movepages::PresenceRun run;
      while (walk.next(&run)) found.push_back(run);
      error = walk.error();
    }
  }
  if (error != 0) return py::none();
  const auto count = static_cast<py::ssize_t>(found.size());
  py::array_t<std::uintptr_t> first(count);
  py::array_t<std::uintptr_t> last(count);
  py::array_t<std::uint8_t> kinds(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    const movepages::PresenceRun& run = found[static_cast<std::size_t>(i)];
    first.mutable_at(i) = run.start;
    last.mutable_at(i) = run.end;
    kinds.mutable_at(i) = static_cast<std::uint8_t>(run.what);
  }
  return py::make_tuple(first, last, kinds);
}

py::bytes read_file(const std::string& path) {
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
  return content;
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
  module.def("read_file", &read_file, "path"_a, "All that a file holds; OSError if it says no.");
  module.def("scan_huge", &scan_huge, "start"_a, "end"_a, "pid"_a,
             "Starts and ends of what huge pages map in a range; None where it cannot be told.");
  module.def("survey", &survey, "starts"_a, "pages"_a, "pid"_a, "flags"_a, "threads"_a, "fewest"_a,
             "pause"_a, "Failure as of move_pages, and starts, pages, statuses and kinds of runs.");
  module.def("presence", &presence, "starts"_a, "ends"_a, "pid"_a,
             "Starts, ends and kinds of stretches of ranges; None where it cannot be told.");
  py::dict kinds;
  for (std::size_t i = 0; i < std::size(movepages::kPresenceNames); ++i) {
    kinds[movepages::kPresenceNames[i]] = i;
  }
  module.attr("PRESENCE") = kinds;
  module.attr("FRAME_BYTES") = movepages::frame_bytes();
  module.attr("KERNEL_HIDES_PAGES") = movepages::kernel_hides_pages();
  module.def("mempolicy_nodes", &mempolicy_nodes, "pages"_a,
             "Node of each page by get_mempolicy(2), or -errno; faults absent pages in.");
}
