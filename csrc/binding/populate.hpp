// Pages allocated on their nodes, and the CPU that a thread runs on.
#pragma once

#include <sched.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/outcome.hpp"
#include "binding/ranges.hpp"
#include "binding/without_gil.hpp"
#include "populate/populate.hpp"
#include "populate/room.hpp"

namespace movepages::binding {

constexpr Expected kSizes = {"nbytes", 'i',   sizeof(std::int64_t),
                             "int64",  false, "np.ascontiguousarray(nbytes, np.int64)"};

// Sums and differences of bytes, reserves and the memory of a node must not overflow.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 61;

inline auto fields_of_share(const py::handle& given) {
  using Fields = std::tuple<py::object, py::object, py::object, py::object, py::object, unsigned>;
  try {
    return given.cast<Fields>();
  } catch (const py::cast_error&) {
    throw py::type_error("shares: expected (nodes, reserves, starts, nbytes, cpus, threads)");
  }
}

inline NodeShare to_share(const py::handle& given) {
  constexpr unsigned kMostThreads = 256;
  constexpr std::int32_t kMostCpus = 1 << 16;
  const auto [nodes, reserves, starts, sizes, cpus, threads] = fields_of_share(given);
  NodeShare share;
  share.threads = std::min(threads, kMostThreads);
  const py::array node = checked(nodes, kNodes);
  const py::array reserve = checked(reserves, kSizes);
  require_length(reserve, kSizes, node.size());
  for (py::ssize_t i = 0; i < node.size(); ++i) {
    share.nodes.push_back(static_cast<const std::int32_t*>(node.data())[i]);
    share.reserves.push_back(static_cast<const std::int64_t*>(reserve.data())[i]);
    if (share.nodes.back() < 0 || share.nodes.back() >= kMaxNodes) {
      throw py::value_error("nodes: expected ids below MAX_NODES");
    }
    share.reserves.back() = std::clamp(share.reserves.back(), std::int64_t{0}, kMostBytes);
  }
  const py::array start = checked(starts, kPages);
  const py::array size = checked(sizes, kSizes);
  require_length(size, kSizes, start.size());
  const auto* first = static_cast<const std::uintptr_t*>(start.data());
  const auto* bytes = static_cast<const std::int64_t*>(size.data());
  std::int64_t left = kMostBytes;
  for (py::ssize_t i = 0; i < start.size(); ++i) {
    const std::int64_t size_here = std::max(bytes[i], std::int64_t{0});
    if (size_here > left) throw py::value_error("nbytes: expected at most 2**61 in a share");
    left -= size_here;
    const auto some = static_cast<std::size_t>(size_here);
    if (some > std::numeric_limits<std::uintptr_t>::max() - first[i]) {
      throw py::value_error("nbytes: expected ranges that end below 2**64");
    }
    if (some > 0) share.ranges.push_back({first[i], some});
  }
  const py::array cpu = checked(cpus, kNodes);
  const auto* number = static_cast<const std::int32_t*>(cpu.data());
  for (py::ssize_t i = 0; i < cpu.size(); ++i) {
    if (number[i] < 0 || number[i] >= kMostCpus) throw py::value_error("cpus: no such CPU");
    share.cpus.push_back(number[i]);
  }
  return share;
}

// Returns None; (errno, node or -1, whether it is full); or, if interrupted, the exception.
inline py::object populate_shares(const py::list& given, const py::object& pause) {
  std::vector<NodeShare> shares;
  for (const py::handle& each : given) shares.push_back(to_share(each));
  const Pause interrupt = {raised, pause.ptr()};
  Populated found;
  {
    const WithoutGil release;
    found = populate(shares, interrupt);
  }
  if (found.interrupted) {
    Outcome outcome;
    outcome.interrupted = true;
    return to_python(outcome);
  }
  if (found.error == 0) return py::none();
  return py::make_tuple(-found.error, found.node, found.full);
}

// Returns the bytes that a node can still give, or None if they are unknown.
inline py::object node_room(std::int32_t node) {
  const std::int64_t room = room_of(node);
  return room < 0 ? py::object(py::none()) : py::int_(room);
}

// The CPU that the calling thread runs on.
inline int current_cpu() noexcept { return ::sched_getcpu(); }

}  // namespace movepages::binding
