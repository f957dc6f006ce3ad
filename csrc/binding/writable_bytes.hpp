// Memory of a caller that a call writes to.
#pragma once

#include <pybind11/pybind11.h>

#include <cstddef>

namespace movepages::binding {

namespace py = pybind11;

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

  unsigned char* start() const noexcept { return static_cast<unsigned char*>(view_.buf); }
  std::size_t bytes() const noexcept { return static_cast<std::size_t>(view_.len); }

 private:
  Py_buffer view_ = {};
};

}  // namespace movepages::binding
