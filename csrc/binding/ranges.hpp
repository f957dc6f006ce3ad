// Address ranges: the nodes of their pages, and the content of their page tables.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/engine.hpp"
#include "binding/outcome.hpp"
#include "binding/without_gil.hpp"
#include "driver/migrate.hpp"
#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/smaps.hpp"
#include "survey/presence.hpp"
#include "survey/survey.hpp"

namespace movepages::binding {

constexpr Expected kCounts = {"pages", 'i',   sizeof(std::int64_t),
                              "int64", false, "np.ascontiguousarray(pages, np.int64)"};

// Returns the failure, if any, as move_pages() does; then address, pages, status and kind of each
// run.
inline py::tuple survey_ranges(const py::object& starts, const py::object& counts,
                               const py::object& pid, const py::object& flags,
                               const py::object& threads, const py::object& fewest,
                               const py::object& by_number, bool ask_small, bool in_huge_pages,
                               const py::object& pause) {
  SurveyRequest request;
  request.pid = to_pid(pid);
  request.flags = to_int(flags, "flags", -1);
  request.threads = static_cast<unsigned>(std::max(1, to_int(threads, "threads", 1)));
  request.ask_small = ask_small;
  request.in_huge_pages = in_huge_pages;
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
  Kernel kernel = binding::kernel();
  if (fewest.is_none()) {
    kernel.huge_until = nullptr;
  } else {
    request.fewest = static_cast<std::size_t>(std::max(1, to_int(fewest, "fewest", 1)));
  }
  const Pause interrupt = {raised, pause.ptr()};
  std::vector<SurveyRun> runs;
  Outcome outcome;
  {
    const WithoutGil release;
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

// Returns (starts, ends, kinds) of the stretches that the page tables show in page-aligned ranges,
// in order, or None if the kernel does not report them.
inline py::object presence_in(const py::object& starts, const py::object& ends,
                              const py::object& pid) {
  const int process = to_int(pid, "pid", -1);
  const py::array start = checked(starts, kPages);
  const py::array end = checked(ends, kPages);
  require_length(end, kPages, start.size());
  const auto* from = static_cast<const std::uintptr_t*>(start.data());
  const auto* to = static_cast<const std::uintptr_t*>(end.data());
  std::vector<PresenceRun> found;
  long error = 0;
  {
    const WithoutGil release;
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

inline py::dict presence_kinds() {
  py::dict kinds;
  for (std::size_t i = 0; i < std::size(kPresenceNames); ++i) {
    kinds[kPresenceNames[i]] = i;
  }
  return kinds;
}

inline py::tuple starts_and_ends(const std::vector<Region>& found) {
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

// Returns (starts, ends) of what huge pages map in [start, end), or None if the kernel does not
// report it.
inline py::object huge_ranges(std::uintptr_t start, std::uintptr_t end, int pid) {
  constexpr std::size_t kRoom = 256;
  std::vector<Region> found;
  long ret = 0;
  {
    const WithoutGil release;
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
  return starts_and_ends(found);
}

// Returns (starts, ends) of the ranges of [first, last) whose memory certainly consists of huge
// pages, by the counts of an smaps file, or None if it cannot be read or lists more than `most`
// mappings before `last`.
inline py::object huge_ranges_by_count(const std::string& path, std::uintptr_t first,
                                       std::uintptr_t last, std::size_t most) {
  std::vector<Region> found;
  int error = 0;
  {
    const WithoutGil release;
    error = movepages::huge_ranges_by_count(path.c_str(), first, last, most, &found);
  }
  if (error != 0) return py::none();
  return starts_and_ends(found);
}

// Returns the end of the range from `start` that holds at most `most` pages, or None if the kernel
// does not report it.
inline py::object reach_of(std::uintptr_t start, std::uintptr_t end, std::uint64_t most, int pid) {
  std::uintptr_t until = 0;
  long error = 0;
  {
    const WithoutGil release;
    Pagemap pagemap(pid);
    until = reach(pagemap, start, end, most, &error);
  }
  if (error != 0) return py::none();
  return py::int_(until);
}

}  // namespace movepages::binding
