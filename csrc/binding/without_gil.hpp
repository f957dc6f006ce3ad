// The GIL, and what becomes of a thread that waits for it when the program exits.
#pragma once

#include <cxxabi.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

namespace movepages::binding {

// Calls a function that may wait for the GIL. Before Python 3.14, a thread that waits for it while
// the interpreter ends is ended by unwinding its stack. That would end the whole program at the
// first destructor. Such a thread waits for the end of the process, as since Python 3.14.
template <typename Take>
decltype(auto) or_wait_for_exit(Take take) {
#ifdef __GLIBCXX__
  try {
    return take();
  } catch (abi::__forced_unwind&) {
    for (;;) ::pause();
  }
#else
  return take();
#endif
}

// The calling thread does not hold the GIL as long as this exists.
class WithoutGil {
 public:
  WithoutGil() noexcept : state_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    or_wait_for_exit([this] { PyEval_RestoreThread(state_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* const state_;
};

}  // namespace movepages::binding
