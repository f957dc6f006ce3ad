// How much memory a node can still give.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "kernel/pagemap.hpp"
#include "kernel/whole_file.hpp"

namespace movepages {

// The number of KiB after a name such as "MemFree:" in the text of a meminfo file; 0 without it.
inline std::int64_t kib_of(const std::string& text, const char* name) noexcept {
  const std::size_t at = text.find(name);
  return at == std::string::npos ? 0
                                 : std::strtoll(text.c_str() + at + std::strlen(name), nullptr, 10);
}

// Throws std::bad_alloc.
inline bool read_meminfo(std::int32_t node, std::string* text) {
  const std::string path = "/sys/devices/system/node/node" + std::to_string(node) + "/meminfo";
  return read_whole_file(path.c_str(), text) == 0;
}

// The bytes that are free on a node or hold clean file pages, which the kernel drops when memory is
// short. Returns a negative number if they are unknown. Throws std::bad_alloc.
inline std::int64_t room_of(std::int32_t node) {
  std::string text;
  if (!read_meminfo(node, &text)) return -1;
  const std::int64_t files = kib_of(text, " Active(file):") + kib_of(text, "Inactive(file):");
  const std::int64_t dirty = kib_of(text, "Dirty:") + kib_of(text, "Writeback:");
  return (kib_of(text, "MemFree:") + (files > dirty ? files - dirty : 0)) * 1024;
}

// The bytes on a node that wait in lists of the CPUs for their next use. They do not count as free,
// and may be of no use to this CPU. Throws std::bad_alloc.
inline std::int64_t on_lists_of(std::int32_t node) {
  std::string text;
  if (read_whole_file("/proc/zoneinfo", &text) != 0) return 0;
  std::int64_t pages = 0;
  int zone_of = -1;
  for_each_line(&text, [&](std::string_view line) {
    std::int64_t count = 0;
    if (std::sscanf(line.data(), "Node %d, zone", &zone_of) == 1 || zone_of != node) return;
    if (std::sscanf(line.data(), " count: %" SCNd64, &count) == 1) pages += count;
  });
  return pages * static_cast<std::int64_t>(page_bytes());
}

// Whether a node can give some bytes to a thread that is bound to it, or that is unknown. Throws
// std::bad_alloc.
inline bool has_room(std::int32_t node, std::int64_t bytes) {
  const std::int64_t room = room_of(node);
  return room < 0 || room >= bytes;
}

// Whether a node can give some bytes, whatever the lists of the CPUs take meanwhile, or is unknown.
// All of them together take an eighth of a zone at most: zone_highsize() in mm/page_alloc.c. Throws
// std::bad_alloc.
inline bool has_plenty(std::int32_t node, std::int64_t bytes) {
  std::string text;
  return !read_meminfo(node, &text) || has_room(node, bytes + kib_of(text, "MemTotal:") * 1024 / 8);
}

// Whether a node lacks room for some bytes now, and may have it once the lists of the CPUs have
// come back. To a thread that does not wait, the kernel gives what is free, and then ends the
// process, whatever the lists hold: __alloc_pages_direct_reclaim() in mm/page_alloc.c takes them
// only after it found something to drop. Throws std::bad_alloc.
inline bool may_have_room(std::int32_t node, std::int64_t bytes) {
  return room_of(node) + on_lists_of(node) >= bytes;
}

// Whether a node can give some bytes to a thread that may turn to other nodes, or that is unknown:
// such a thread does so before the kernel drops file pages or empties lists. Throws std::bad_alloc.
inline bool has_free(std::int32_t node, std::int64_t bytes) {
  std::string text;
  return !read_meminfo(node, &text) || kib_of(text, "MemFree:") * 1024 >= bytes;
}

}  // namespace movepages
