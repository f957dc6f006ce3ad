// Reports what the kernel says about this machine and this process.
#pragma once

#include <cerrno>
#include <string>

#include "binding/arguments.hpp"
#include "binding/engine.hpp"
#include "binding/without_gil.hpp"
#include "kernel/kernel.hpp"
#include "kernel/probe.hpp"
#include "kernel/whole_file.hpp"

namespace movepages::binding {

inline py::object allowed_nodes() {
  NodeMask mask;
  if (!kernel().allowed_nodes(mask)) return py::none();
  return to_list(mask);
}

// Returns the fields of Probe in their order.
inline py::tuple probe_calls() {
  Probe found;
  const int error = probe(&found);
  if (error != 0) {
    errno = -error;
    PyErr_SetFromErrno(PyExc_OSError);
    throw py::error_already_set();
  }
  return py::make_tuple(found.query, found.move, found.move_all, found.get_mempolicy,
                        found.set_mempolicy, found.mbind, found.pagemap, found.scan);
}

inline py::object read_file(const std::string& path) {
  std::string content;
  int error = 0;
  {
    const WithoutGil release;
    error = read_whole_file(path.c_str(), &content);
  }
  if (error != 0) {
    errno = error;
    PyErr_SetFromErrnoWithFilename(PyExc_OSError, path.c_str());
    throw py::error_already_set();
  }
  // py::bytes would throw a RuntimeError when there is no memory.
  PyObject* bytes =
      PyBytes_FromStringAndSize(content.data(), static_cast<py::ssize_t>(content.size()));
  if (bytes == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(bytes);
}

}  // namespace movepages::binding
