#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "binding.hpp"
#include "memory_blocks.hpp"
#include "pagemap.hpp"
#include "presence.hpp"
#include "query.hpp"
#include "survey.hpp"
#include "syscalls.hpp"

namespace movepages {
namespace {

using namespace pybind11::literals;

// Ranges in [start, end) that huge pages map: (starts, ends), or None where it cannot be told.
py::object huge_ranges(std::uintptr_t start, std::uintptr_t end, int pid) {
  constexpr std::size_t kRoom = 256;
  std::vector<Region> found;
  long ret = 0;
  {
    const py::gil_scoped_release release;
    Pagemap pagemap(pid);
    while (ret >= 0 && start < end) {
      const std::size_t before = found.size();
      const std::uintptr_t from = start;
      found.resize(before + kRoom);
      ret = scan_huge(pagemap, &start, end, found.data() + before, kRoom);
      found.resize(before + static_cast<std::size_t>(ret > 0 ? ret : 0));
      if (start <= from) break;
    }
  }
  if (ret < 0) return py::none();
  const auto count = static_cast<py::ssize_t>(found.size());
  py::array_t<std::uintptr_t> starts(count);
  py::array_t<std::uintptr_t> ends(count);
  for (py::ssize_t i = 0; i < count; ++i) {
    const Region& region = found[static_cast<std::size_t>(i)];
    starts.mutable_at(i) = static_cast<std::uintptr_t>(region.start);
    ends.mutable_at(i) = static_cast<std::uintptr_t>(region.end);
  }
  return py::make_tuple(starts, ends);
}

constexpr Expected kCounts = {"pages", 'i',   sizeof(std::int64_t),
                              "int64", false, "np.ascontiguousarray(pages, np.int64)"};

// Where the pages of ranges are: a failure as of move_pages(), and addresses, pages, statuses and
// kinds of runs in order.
py::tuple survey_ranges(const py::object& starts, const py::object& counts, const py::object& pid,
                        const py::object& flags, const py::object& threads,
                        const py::object& fewest, const py::object& by_number, bool ask_small,
                        const py::object& pause) {
  SurveyRequest request;
  request.pid = to_int(pid, "pid", -1);
  if (request.pid == ::getpid()) request.pid = 0;
  request.flags = to_int(flags, "flags", -1);
  request.threads = static_cast<unsigned>(std::max(1, to_int(threads, "threads", 1)));
  request.ask_small = ask_small;
  request.by_number = static_cast<std::size_t>(std::max(0, to_int(by_number, "by_number", 0)));
  const py::array start = checked(starts, kPages);
  const py::array count = checked(counts, kCounts);
  require_length(count, kCounts, start.size());
  const auto* first = static_cast<const std::uintptr_t*>(start.data());
  const auto* pages = static_cast<const std::int64_t*>(count.data());
  std::vector<PageRange> ranges;
  for (py::ssize_t i = 0; i < start.size(); ++i) {
    if (pages[i] > 0) ranges.push_back({first[i], static_cast<std::size_t>(pages[i])});
  }
  request.ranges = ranges.data();
  request.count = ranges.size();
  Kernel kernel = real_kernel();
  if (fewest.is_none()) {
    kernel.huge_until = nullptr;
  } else {
    request.fewest = static_cast<std::size_t>(std::max(1, to_int(fewest, "fewest", 1)));
  }
  const Pause interrupt = {raised, pause.ptr()};
  std::vector<SurveyRun> runs;
  Outcome outcome;
  {
    const py::gil_scoped_release release;
    outcome = survey(request, interrupt, kernel, &runs);
  }
  const auto found = static_cast<py::ssize_t>(runs.size());
  py::array_t<std::uintptr_t> addresses(found);
  py::array_t<std::int64_t> lengths(found);
  py::array_t<std::int32_t> status(found);
  py::array_t<std::uint8_t> kinds(found);
  for (py::ssize_t i = 0; i < found; ++i) {
    const SurveyRun& run = runs[static_cast<std::size_t>(i)];
    addresses.mutable_at(i) = run.start;
    lengths.mutable_at(i) = static_cast<std::int64_t>(run.pages);
    status.mutable_at(i) = run.status;
    kinds.mutable_at(i) = static_cast<std::uint8_t>(run.what);
  }
  return py::make_tuple(to_python(outcome), addresses, lengths, status, kinds);
}

// What the page tables hold in ranges on page borders: (starts, ends, kinds) of stretches in order,
// or None where it cannot be told.
py::object presence_in(const py::object& starts, const py::object& ends, const py::object& pid) {
  const int process = to_int(pid, "pid", -1);
  const py::array start = checked(starts, kPages);
  const py::array end = checked(ends, kPages);
  require_length(end, kPages, start.size());
  const auto* from = static_cast<const std::uintptr_t*>(start.data());
  const auto* to = static_cast<const std::uintptr_t*>(end.data());
  std::vector<PresenceRun> found;
  long error = 0;
  {
    const py::gil_scoped_release release;
    Pagemap pagemap(process);
    for (py::ssize_t i = 0; i < start.size() && error == 0; ++i) {
      PresenceWalk walk(pagemap, from[i], to[i]);
      PresenceRun run;
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
    const PresenceRun& run = found[static_cast<std::size_t>(i)];
    first.mutable_at(i) = run.start;
    last.mutable_at(i) = run.end;
    kinds.mutable_at(i) = static_cast<std::uint8_t>(run.what);
  }
  return py::make_tuple(first, last, kinds);
}

// How far one can go from `start` and meet at most so many pages, or None where it cannot be told.
py::object reach_of(std::uintptr_t start, std::uintptr_t end, std::uint64_t most, int pid) {
  std::uintptr_t until = 0;
  long error = 0;
  {
    const py::gil_scoped_release release;
    Pagemap pagemap(pid);
    until = reach(pagemap, start, end, most, &error);
  }
  if (error != 0) return py::none();
  return py::int_(until);
}

// Whether this process is told the numbers of page frames.
bool shows_frame_numbers() {
  const int here = 0;
  std::uint64_t entry = 0;
  const auto page = reinterpret_cast<std::uintptr_t>(&here);
  return Pagemap(0).read(page, 1, &entry) == 1 && (entry & kPageFrameNumber) != 0;
}

// Bytes in a block of memory, and the node of each block, negative where that is not known.
py::tuple memory_blocks(const std::string& folder) {
  const MemoryBlocks blocks(folder.c_str());
  const auto count = static_cast<py::ssize_t>(blocks.nodes().size());
  return py::make_tuple(blocks.bytes(), py::array_t<std::int32_t>(count, blocks.nodes().data()));
}

// So few that asking for them costs less than finding out whether that pays.
constexpr std::size_t kGlancePages = std::min(std::size_t{64}, Query::kPortion);

// The first page of a small array in one piece and how many it has, if all of them are on a node
// that this thread may use; None where they are not, where it takes more to tell, and of what is no
// such array.
py::object glance(const py::object& given, const py::object& target) {
  const int node = to_int(target, "node", -1);
  if (Py_TYPE(given.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(given);
  const auto nbytes = static_cast<std::size_t>(array.nbytes());
  if (nbytes == 0 || nbytes > (kGlancePages - 1) * page_bytes() || node < 0 || node >= kMaxNodes ||
      !has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_)) {
    return py::none();
  }
  const auto first = reinterpret_cast<std::uintptr_t>(array.data()) / page_bytes() * page_bytes();
  const auto end = reinterpret_cast<std::uintptr_t>(array.data()) + nbytes;
  std::uintptr_t pages[kGlancePages];
  std::int32_t status[kGlancePages];
  std::size_t count = 0;
  for (std::uintptr_t at = first; at < end; at += page_bytes()) pages[count++] = at;
  NodeMask allowed;
  const Kernel& kernel = real_kernel();
  if (!kernel.allowed_nodes(allowed) || !allowed.has(node)) return py::none();
  long ret = 0;
  {
    const py::gil_scoped_release release;
    ret = kernel.move_pages(0, count, pages, nullptr, status, kMpolMfMove);
  }
  const auto placed = [node](std::int32_t on) { return on == node; };
  if (ret != 0 || !std::all_of(status, status + count, placed)) return py::none();
  return py::make_tuple(first, count);
}

}  // namespace

void bind_looks(py::module_& module) {
  module.def("scan_huge", &huge_ranges, "start"_a, "end"_a, "pid"_a,
             "Starts and ends of what huge pages map in a range; None where it cannot be told.");
  module.def("survey", &survey_ranges, "starts"_a, "pages"_a, "pid"_a, "flags"_a, "threads"_a,
             "fewest"_a, "by_number"_a, "ask_small"_a, "pause"_a,
             "Failure as of move_pages, and starts, pages, statuses and kinds of runs.");
  module.def("shows_frame_numbers", &shows_frame_numbers,
             "Whether this process is told the numbers of page frames.");
  module.def("memory_blocks", &memory_blocks, "folder"_a,
             "Bytes in a block of memory, and the node of each, negative where it is not known.");
  module.def("presence", &presence_in, "starts"_a, "ends"_a, "pid"_a,
             "Starts, ends and kinds of stretches of ranges; None where it cannot be told.");
  module.def("reach", &reach_of, "start"_a, "end"_a, "most"_a, "pid"_a,
             "How far one can go and meet at most so many pages; None where it cannot be told.");
  module.def(
      "glance", &glance, "array"_a, "node"_a,
      "First page and pages of a small array that is whole on a node; None where not known.");
  py::dict kinds;
  for (std::size_t i = 0; i < std::size(kPresenceNames); ++i) {
    kinds[kPresenceNames[i]] = i;
  }
  module.attr("PRESENCE") = kinds;
}

}  // namespace movepages
