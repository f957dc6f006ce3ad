// How an interruptible call checks for signals, and what it returns to Python.
#pragma once

#include <pybind11/pybind11.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>

#include "binding/without_gil.hpp"
#include "driver/migrate.hpp"

namespace movepages::binding {

namespace py = pybind11;

// Whether a signal handler raised an exception, or the caller's `pause` did. Python handles signals
// in the main thread alone, so without a `pause` other threads need not wait for the GIL.
inline bool raised(void* pause) noexcept {
  auto* call = static_cast<PyObject*>(pause);
  if (call == Py_None && ::syscall(SYS_gettid) != ::getpid()) return false;
  return or_wait_for_exit([call] {
    const py::gil_scoped_acquire gil;
    // A handler of signals may lose the GIL for good, which must not unwind `gil`.
    return or_wait_for_exit([call] {
      if (PyErr_CheckSignals() != 0) return true;
      if (call == Py_None) return false;
      PyObject* answer = PyObject_CallNoArgs(call);
      Py_XDECREF(answer);
      return answer == nullptr;
    });
  });
}

// Returns None for a clean call, and (errno, index of the refused node or -1) for a failed one. If
// a signal or `pause` ended the call, the exception is returned rather than thrown, so that no
// caller takes it for an error of the kernel.
inline py::object to_python(const Outcome& outcome) {
  if (outcome.interrupted) {
    const py::error_already_set raised;
    if (raised.trace()) PyException_SetTraceback(raised.value().ptr(), raised.trace().ptr());
    return raised.value();
  }
  if (outcome.rejected && outcome.error == -ENOMEM) throw std::bad_alloc();
  if (outcome.error == 0) return py::none();
  const bool node = outcome.rejected && (outcome.error == -ENODEV || outcome.error == -EACCES);
  const auto refused = node ? static_cast<py::ssize_t>(outcome.refused) : py::ssize_t{-1};
  return py::make_tuple(-outcome.error, refused);
}

}  // namespace movepages::binding
