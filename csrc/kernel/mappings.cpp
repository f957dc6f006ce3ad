#include "kernel/mappings.hpp"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <new>
#include <string>
#include <string_view>

#include "kernel/whole_file.hpp"

namespace movepages {
namespace {

bool begins_with_one(std::string_view name, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(), [name](std::string_view start) {
    return name.substr(0, start.size()) == start;
  });
}

// The same names as in movepages/system/maps.py.
bool is_device(std::string_view name) {
  return begins_with_one(
             name, {"/dev/", "/proc/", "/sys/", "/dmabuf:", "anon_inode:", "[vv", "[vsyscall]"}) &&
         !begins_with_one(name, {"/dev/zero", "/dev/shm/", "/dev/hugepages"});
}

bool parse(std::string_view line, Mapping* found) {
  char access[5] = {};
  unsigned long inode = 0;
  int name_at = 0;
  if (std::sscanf(line.data(), "%lx-%lx %4s %*x %*x:%*x %lu %n", &found->start, &found->end, access,
                  &inode, &name_at) != 4) {
    return false;
  }
  const std::string_view name = line.substr(static_cast<std::size_t>(name_at));
  found->shared = access[3] != 'p';
  found->device = is_device(name);
  found->anonymous =
      !found->shared && ((inode == 0 && !begins_with_one(name, {"[v"})) || name == "/dev/zero");
  return true;
}

}  // namespace

void Mappings::read() {
  read_ = true;
  std::string text;
  if (read_whole_file("/proc/self/maps", &text) != 0) return;
  for_each_line(&text, [this](std::string_view line) {
    Mapping mapping;
    if (parse(line, &mapping)) found_.push_back(mapping);
  });
}

const Mapping* Mappings::at(std::uintptr_t address) noexcept {
  try {
    if (!read_) read();
  } catch (const std::bad_alloc&) {
    found_.clear();
  }
  const auto behind =
      std::upper_bound(found_.begin(), found_.end(), address,
                       [](std::uintptr_t at, const Mapping& each) { return at < each.end; });
  return behind != found_.end() && behind->start <= address ? &*behind : nullptr;
}

}  // namespace movepages
