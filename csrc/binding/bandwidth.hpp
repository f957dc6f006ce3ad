// Measures bandwidth and latency of memory.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "bandwidth/chase.hpp"
#include "bandwidth/loops.hpp"
#include "bandwidth/traffic.hpp"
#include "binding/arguments.hpp"
#include "binding/outcome.hpp"
#include "binding/without_gil.hpp"
#include "binding/writable_bytes.hpp"

namespace movepages::binding {

// Far more than any machine has.
constexpr int kMostCpus = 1 << 16;
constexpr std::size_t kMostThreads = 1 << 13;

inline std::int64_t to_ns(double seconds) {
  constexpr double kMostSeconds = 3600;
  if (!(seconds >= 0 && seconds <= kMostSeconds)) {
    throw py::value_error("seconds: expected 0 to 3600");
  }
  return static_cast<std::int64_t>(seconds * 1e9);
}

constexpr Expected kCpus = {"cpus",  'i',   sizeof(std::int32_t),
                            "int32", false, "np.ascontiguousarray(cpus, dtype=np.int32)"};

inline int to_cpu(int cpu) {
  if (cpu < 0 || cpu >= kMostCpus) throw py::value_error("cpus: no such CPU");
  return cpu;
}

inline Traffic to_traffic(const std::string& kind) {
  if (kind == "read") return Traffic::kRead;
  if (kind == "write") return Traffic::kWrite;
  if (kind == "copy") return Traffic::kCopy;
  throw py::value_error("kind: expected 'read', 'write' or 'copy'");
}

inline void require_multiple(const WritableBytes& memory, std::size_t unit, const char* what) {
  if (memory.bytes() == 0 || memory.bytes() % unit != 0 ||
      reinterpret_cast<std::uintptr_t>(memory.start()) % unit != 0) {
    throw py::value_error(std::string(what) + ": expected whole cache lines");
  }
}

// Holds the buffers of all parts.
class TrafficParts {
 public:
  TrafficParts(Traffic kind, const py::list& given) {
    if (given.empty() || given.size() > kMostThreads) {
      throw py::value_error("parts: expected one or more");
    }
    for (const py::handle& each : given) add(kind, each);
  }
  const std::vector<TrafficPart>& parts() const noexcept { return parts_; }

 private:
  void add(Traffic kind, const py::handle& given) {
    const auto [memory, source, cpu] = fields_of(given);
    const WritableBytes& to = held_.emplace_back(memory);
    require_multiple(to, kStride, "memory");
    const WritableBytes& from = held_.emplace_back(source);
    if (kind == Traffic::kCopy) {
      require_multiple(from, kStride, "source");
      if (from.bytes() != to.bytes()) throw py::value_error("source: expected as many bytes");
    }
    parts_.push_back({to.start(), from.start(), to.bytes(), to_cpu(cpu)});
  }

  static std::tuple<py::object, py::object, int> fields_of(const py::handle& given) {
    try {
      return given.cast<std::tuple<py::object, py::object, int>>();
    } catch (const py::cast_error&) {
      throw py::type_error("parts: expected (memory, source, cpu)");
    }
  }

  std::deque<WritableBytes> held_;  // its elements never move
  std::vector<TrafficPart> parts_;
};

inline py::object interrupted() {
  Outcome outcome;
  outcome.interrupted = true;
  return to_python(outcome);
}

// Returns (errno, index of the part, seconds, rounds, sums); or, if interrupted, the exception.
inline py::object traffic(const std::string& kind, const py::list& given, double seconds,
                          const py::object& pause) {
  const Traffic traffic = to_traffic(kind);
  const std::int64_t least_ns = to_ns(seconds);
  const TrafficParts parts(traffic, given);
  const Pause interrupt = {raised, pause.ptr()};
  TrafficTime found;
  {
    const WithoutGil release;
    found = measure_traffic(traffic, parts.parts(), least_ns, interrupt);
  }
  if (found.ended.interrupted) return interrupted();
  if (found.ended.error == -ENOMEM) throw std::bad_alloc();
  py::list sums;
  for (const std::uint64_t sum : found.sums) sums.append(sum);
  return py::make_tuple(-found.ended.error, found.ended.index,
                        static_cast<double>(found.best_ns) * 1e-9, found.rounds, sums);
}

// Returns (errno, index of the CPU, [(nanoseconds, steps, address) for each CPU]); or, if
// interrupted, the exception.
inline py::object chase(const py::object& memory, std::size_t line, const py::object& cpus,
                        double seconds, std::uint64_t seed, const py::object& pause) {
  const std::int64_t least_ns = to_ns(seconds);
  const py::array given = checked(cpus, kCpus);
  const auto* number = static_cast<const std::int32_t*>(given.data());
  std::vector<int> numbers;
  for (py::ssize_t i = 0; i < given.size(); ++i) numbers.push_back(to_cpu(number[i]));
  const WritableBytes lines(memory);
  if (line < sizeof(void*) || (line & (line - 1)) != 0) {
    throw py::value_error("line: expected a power of two from 8");
  }
  require_multiple(lines, line, "memory");
  if (lines.bytes() < 2 * line) throw py::value_error("memory: expected two lines or more");
  const Pause interrupt = {raised, pause.ptr()};
  ChaseTimes times;
  {
    const WithoutGil release;
    times = measure_chase(lines.start(), lines.bytes(), line, numbers, least_ns, seed, interrupt);
  }
  if (times.ended.interrupted) return interrupted();
  if (times.ended.error == -ENOMEM) throw std::bad_alloc();
  py::list found;
  for (const ChaseTime& each : times.found) {
    found.append(py::make_tuple(each.best_ns, each.steps, each.last));
  }
  return py::make_tuple(-times.ended.error, times.ended.index, found);
}

}  // namespace movepages::binding
