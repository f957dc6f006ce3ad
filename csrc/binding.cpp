#include "binding.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace movepages {

bool raised(void* pause) noexcept {
  auto* call = static_cast<PyObject*>(pause);
  if (call == Py_None && ::syscall(SYS_gettid) != ::getpid()) return false;
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) return true;
  if (call == Py_None) return false;
  PyObject* answer = PyObject_CallNoArgs(call);
  Py_XDECREF(answer);
  return answer == nullptr;
}

py::object to_python(const Outcome& outcome) {
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

}  // namespace movepages
