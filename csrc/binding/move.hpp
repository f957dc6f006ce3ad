// Lists of pages: queries, moves, and the sorting that a move needs.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/engine.hpp"
#include "binding/outcome.hpp"
#include "binding/without_gil.hpp"
#include "driver/migrate.hpp"
#include "driver/sort_out.hpp"
#include "driver/untold.hpp"
#include "kernel/kernel.hpp"
#include "kernel/witness.hpp"

namespace movepages::binding {

constexpr char kUntoldName[] = "movepages.untold";

// Returns statuses that read as kNotAttempted, or None if the kernel refuses the memory.
inline py::object untold(std::size_t count) {
  auto room = std::make_unique<Untold>(count);
  std::int32_t* start = room->start();
  if (start == nullptr) return py::none();
  const py::capsule owner(room.get(), kUntoldName,
                          [](void* mine) { delete static_cast<Untold*>(mine); });
  static_cast<void>(room.release());
  return py::array_t<std::int32_t>(static_cast<py::ssize_t>(count), start, owner);
}

inline py::object move_pages(const py::object& pages, const py::object& nodes,
                             const py::object& status, const py::object& pid,
                             const py::object& flags, const py::object& pause,
                             const py::object& threads) {
  // These conversions come first, because they may run code of the caller.
  Request request;
  request.pid = to_pid(pid);
  request.flags = to_int(flags, "flags", -1);
  constexpr int kMostThreads = 256;
  request.threads =
      static_cast<std::size_t>(std::clamp(to_int(threads, "threads", 1), 1, kMostThreads));
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
      request.untold = owner.get_pointer<Untold>()->take();
  }
  // A large move arrives slice by slice; the estimate of one slice holds for the next.
  thread_local Pace pace;
  request.pace = &pace;
  const Pause interrupt = {raised, pause.ptr()};
  const Kernel& table = kernel();
  Outcome outcome;
  {
    const WithoutGil release;
    outcome = movepages::move_pages(request, interrupt, table);
  }
  py::object failure = to_python(outcome);
  if (outcome.interrupted) return py::make_tuple(std::move(failure), outcome.told);
  return failure;
}

// Returns status and whether as wanted for each page; index, address and node of pages to move.
inline py::tuple sort_out(const py::object& pages, const py::object& before,
                          const py::object& wanted) {
  const py::array pages_array = checked(pages, kPages);
  const py::array before_array = checked(before, kNodes);
  const py::array wanted_array = checked(wanted, kNodes);
  require_length(before_array, kNodes, pages_array.size());
  require_length(wanted_array, kNodes, pages_array.size());
  const ToSort slice = {static_cast<std::size_t>(pages_array.size()),
                        static_cast<const std::uintptr_t*>(pages_array.data()),
                        static_cast<const std::int32_t*>(before_array.data()),
                        static_cast<const std::int32_t*>(wanted_array.data())};
  if (std::any_of(slice.wanted, slice.wanted + slice.count,
                  [](std::int32_t node) { return node >= kMaxNodes; })) {
    throw py::value_error("wanted: expected node ids below MAX_NODES");
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
  group(slice, status.data(), &begin, index.mutable_data(), addresses.mutable_data(),
        nodes.mutable_data());
  return py::make_tuple(status, there, index, addresses, nodes);
}

inline py::array_t<std::int32_t> mempolicy_nodes(const py::object& pages) {
  const py::array pages_array = checked(pages, kPages);
  py::array_t<std::int32_t> nodes(pages_array.size());
  const auto* addresses = static_cast<const std::uintptr_t*>(pages_array.data());
  auto* out = nodes.mutable_data();
  {
    const WithoutGil release;
    movepages::mempolicy_nodes(addresses, static_cast<std::size_t>(nodes.size()), out);
  }
  return nodes;
}

}  // namespace movepages::binding
