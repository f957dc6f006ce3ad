// Which system calls the kernel, or a sandbox in its place, allows this process.
#pragma once

namespace movepages {

// The errno of each system call, 0 for success.
struct Probe {
  int query = 0;
  int move = 0;
  int move_all = 0;
  int get_mempolicy = 0;
  int set_mempolicy = 0;
  int mbind = 0;
  int pagemap = 0;
  int scan = 0;
};

// Makes each call on scratch memory: moves no page, changes no policy, and queries no page of the
// caller. Returns 0, or -errno if there is no scratch memory.
int probe(Probe* answers) noexcept;

}  // namespace movepages
