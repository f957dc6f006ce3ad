// Memory policies, advice about ranges, and migrate_pages(2).
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/without_gil.hpp"
#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace movepages::binding {

inline int bind(std::uintptr_t start, std::size_t nbytes, int mode, const py::object& nodes,
                unsigned flags) {
  NodeMask mask;
  if (!to_mask(nodes, &mask)) return EINVAL;
  const WithoutGil release;
  return static_cast<int>(-bind_range(start, nbytes, mode, mask, flags));
}

inline int set_policy(int mode, const py::object& nodes) {
  ThreadPolicy policy;
  policy.mode = mode;
  if (!to_mask(nodes, &policy.nodes)) return EINVAL;
  return static_cast<int>(-set_thread_policy(policy));
}

// Returns (errno, mode, nodes).
inline py::tuple policy(std::uintptr_t address) {
  int mode = 0;
  NodeMask mask;
  const long ret = policy_at(address, &mode, &mask);
  return py::make_tuple(-ret, mode, to_list(mask));
}

// Returns (errno, bytes advised). Advises the range in parts, and checks for signals in between.
inline py::tuple advise_range(std::uintptr_t start, std::size_t nbytes, int advice,
                              std::size_t part) {
  if (part == 0) throw py::value_error("part: expected one byte or more, got 0");
  std::size_t done = 0;
  long ret = 0;
  while (done < nbytes && ret == 0) {
    const std::size_t some = std::min(part, nbytes - done);
    {
      const WithoutGil release;
      ret = advise(start + done, some, advice);
    }
    if (ret == -EINTR)
      ret = 0;
    else if (ret == 0)
      done += some;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  return py::make_tuple(-ret, done);
}

// Advises several ranges of one length. Returns the errno of each, 0 for success. Checks for
// signals in between.
inline py::array_t<std::int32_t> advise_each(const py::object& starts, std::size_t nbytes,
                                             int advice, const py::object& pid) {
  const int process = to_int(pid, "pid", -1);
  const py::array start = checked(starts, kPages);
  const auto* first = static_cast<const std::uintptr_t*>(start.data());
  py::array_t<std::int32_t> errnos(start.size());
  std::int32_t* said = errnos.mutable_data();
  const long opened = process == 0 ? 0 : open_process(process);
  for (py::ssize_t i = 0; i < start.size(); ++i) {
    long ret = opened < 0 ? opened : -EINTR;
    while (ret == -EINTR) {
      {
        const WithoutGil release;
        ret = process == 0 ? advise(first[i], nbytes, advice)
                           : advise_process(opened, first[i], nbytes, advice);
      }
      if (PyErr_CheckSignals() != 0) {
        if (process != 0 && opened >= 0) ::close(static_cast<int>(opened));
        throw py::error_already_set();
      }
    }
    said[i] = static_cast<std::int32_t>(-ret);
  }
  if (process != 0 && opened >= 0) ::close(static_cast<int>(opened));
  return errnos;
}

// Returns (errno, starts, ends) of stretches of resident pages.
inline py::tuple resident(std::uintptr_t start, std::size_t nbytes) {
  constexpr std::size_t kPart = 16384;  // pages
  unsigned char in_memory[kPart];
  std::vector<std::uintptr_t> starts;
  std::vector<std::uintptr_t> ends;
  long ret = 0;
  for (std::size_t done = 0; done < nbytes && ret == 0;) {
    const std::size_t some = std::min(kPart * page_bytes(), nbytes - done);
    {
      const WithoutGil release;
      ret = mincore(start + done, some, in_memory);
    }
    for (std::size_t page = 0; page < some / page_bytes() && ret == 0; ++page) {
      // The other bits are reserved.
      if ((in_memory[page] & 1) == 0) continue;
      const std::uintptr_t at = start + done + page * page_bytes();
      if (!ends.empty() && ends.back() == at) {
        ends.back() += page_bytes();
      } else {
        starts.push_back(at);
        ends.push_back(at + page_bytes());
      }
    }
    done += some;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }
  const auto as_array = [](const std::vector<std::uintptr_t>& edges) {
    return py::array_t<std::uintptr_t>(static_cast<py::ssize_t>(edges.size()), edges.data());
  };
  return py::make_tuple(-ret, as_array(starts), as_array(ends));
}

// Returns (errno, how many pages could not be moved).
inline py::tuple migrate_process(int pid, const py::object& from, const py::object& to) {
  NodeMask source;
  NodeMask target;
  if (!to_mask(from, &source) || !to_mask(to, &target)) return py::make_tuple(EINVAL, 0);
  long ret = 0;
  {
    const WithoutGil release;
    ret = sys_migrate_pages(pid, kMaxNodes + 1, source.words, target.words);
  }
  return py::make_tuple(std::max(-ret, 0L), std::max(ret, 0L));
}

}  // namespace movepages::binding
