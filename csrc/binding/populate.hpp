// Pages allocated on their nodes, and the CPU that a thread runs on.
#pragma once

#include <sched.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/outcome.hpp"
#include "binding/ranges.hpp"
#include "populate/populate.hpp"
#include "populate/room.hpp"

namespace movepages::binding {

constexpr Expected kSizes = {"nbytes", 'i',   sizeof(std::int64_t),
                             "int64",  false, "np.ascontiguousarray(nbytes, np.int64)"};

inline auto fields_of_share(const py::handle& given) {
  using Fields =
      std::tuple<std::int32_t, py::object, py::object, py::object, unsigned, std::int64_t>;
  try {
    return given.cast<Fields>();
  } catch (const py::cast_error&) {
    throw py::type_error("shares: expected (node, starts, nbytes, cpus, threads, reserve)");
  }
}

inline NodeShare to_share(const py::handle& given) {
  constexpr unsigned kMostThreads = 256;
  constexpr std::int32_t kMostCpus = 1 << 16;
  const auto [node, starts, sizes, cpus, threads, reserve] = fields_of_share(given);
  NodeShare share;
  if (node >= kMaxNodes) throw py::value_error("node: expected an id below MAX_NODES");
  share.node = node;
  share.threads = std::min(threads, kMostThreads);
  share.reserve = std::max(reserve, std::int64_t{0});
  const py::array start = checked(starts, kPages);
  const py::array size = checked(sizes, kSizes);
  require_length(size, kSizes, start.size());
  const auto* first = static_cast<const std::uintptr_t*>(start.data());
  const auto* bytes = static_cast<const std::int64_t*>(size.data());
  for (py::ssize_t i = 0; i < start.size(); ++i) {
    const auto some = static_cast<std::size_t>(std::max(bytes[i], std::int64_t{0}));
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

// The bytes of a writable buffer, or none for None. No owner can unmap them meanwhile.
class WritableBytes {
 public:
  explicit WritableBytes(const py::object& given) {
    if (given.is_none()) return;
    if (PyObject_GetBuffer(given.ptr(), &view_, PyBUF_WRITABLE) != 0) {
      throw py::error_already_set();
    }
  }
  ~WritableBytes() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
  }
  WritableBytes(const WritableBytes&) = delete;
  WritableBytes& operator=(const WritableBytes&) = delete;

  ByteRange range() const noexcept {
    if (view_.obj == nullptr) return {};
    return {reinterpret_cast<std::uintptr_t>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_ = {};
};

// Returns None; (errno, index of the share, whether its node is full); or, if interrupted, the
// exception.
inline py::object populate_shares(const py::list& given, const py::object& memory,
                                  const py::object& pause) {
  const WritableBytes fresh(memory);
  std::vector<NodeShare> shares;
  for (const py::handle& each : given) shares.push_back(to_share(each));
  const Pause interrupt = {raised, pause.ptr()};
  Populated found;
  {
    const py::gil_scoped_release release;
    found = populate(shares, fresh.range(), interrupt);
  }
  if (found.interrupted) {
    Outcome outcome;
    outcome.interrupted = true;
    return to_python(outcome);
  }
  if (found.error == 0) return py::none();
  return py::make_tuple(-found.error, found.share, found.full);
}

// Returns the bytes that a node can still give, or None if they are unknown.
inline py::object node_room(std::int32_t node) {
  const std::int64_t room = room_of(node);
  return room < 0 ? py::object(py::none()) : py::int_(room);
}

// The CPU that the calling thread runs on.
inline int current_cpu() noexcept { return ::sched_getcpu(); }

}  // namespace movepages::binding
