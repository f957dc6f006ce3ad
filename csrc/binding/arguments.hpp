// Checks of arguments; the message of each error states what was expected and how to get it.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "kernel/kernel.hpp"

namespace movepages::binding {

namespace py = pybind11;

using Flags = py::detail::npy_api::constants;

// The requirements for a buffer argument, and the name by which the user knows it.
struct Expected {
  const char* name;
  char kind;
  std::size_t itemsize;
  const char* dtype;
  bool writable;
  const char* remedy;
};

constexpr Expected kPages = {"pages", 'u',   sizeof(std::uintptr_t),
                             "uintp", false, "np.ascontiguousarray(pages, dtype=np.uintp)"};
constexpr Expected kNodes = {"nodes", 'i',   sizeof(std::int32_t),
                             "int32", false, "np.ascontiguousarray(nodes, dtype=np.int32)"};
constexpr Expected kStatus = {
    "status", 'i',  sizeof(std::int32_t),
    "int32",  true, "np.empty(len(pages), dtype=np.int32), or leave status out"};

inline std::string expected(const Expected& want, const std::string& given) {
  return std::string(want.name) + ": expected a " + (want.writable ? "writable, " : "") +
         "C-contiguous, aligned 1-d numpy array of native " + want.dtype + ", got " + given +
         "; pass " + want.remedy;
}

inline bool has_flag(const py::array& array, int flag) { return (array.flags() & flag) == flag; }

inline py::array checked(py::handle given, const Expected& want) {
  if (!py::isinstance<py::array>(given)) {
    throw py::type_error(expected(want, std::string("a ") + Py_TYPE(given.ptr())->tp_name));
  }
  auto array = py::reinterpret_borrow<py::array>(given);
  const py::dtype dtype = array.dtype();
  if (dtype.kind() != want.kind || static_cast<std::size_t>(dtype.itemsize()) != want.itemsize ||
      dtype.byteorder() != '=') {
    throw py::type_error(expected(want, "dtype " + std::string(py::str(py::handle(dtype)))));
  }
  if (array.ndim() != 1) {
    throw py::value_error(expected(want, std::to_string(array.ndim()) + " dimensions"));
  }
  if (!has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_)) {
    throw py::value_error(
        expected(want, "a stride of " + std::to_string(array.strides(0)) + " bytes"));
  }
  if (!has_flag(array, Flags::NPY_ARRAY_ALIGNED_)) {
    throw py::value_error(expected(want, "one that is not aligned to its item size"));
  }
  if (want.writable && !has_flag(array, Flags::NPY_ARRAY_WRITEABLE_)) {
    throw py::value_error(expected(want, "a read-only one"));
  }
  return array;
}

inline void require_length(const py::array& array, const Expected& want, py::ssize_t count) {
  if (array.size() != count) {
    throw py::value_error(std::string(want.name) + ": expected one entry for each of the " +
                          std::to_string(count) + " pages, got " + std::to_string(array.size()));
  }
}

inline void require_apart(const py::array& input, const Expected& want, const py::array& status) {
  const auto* a = static_cast<const char*>(input.data());
  const auto* b = static_cast<const char*>(status.data());
  if (a < b + status.nbytes() && b < a + input.nbytes()) {
    throw py::value_error(std::string(want.name) +
                          " and status share memory, and the kernel writes one while it reads the "
                          "other; give status a buffer of its own");
  }
}

// Converts an int argument. A value that does not fit becomes `beyond`, which the kernel rejects.
inline int to_int(py::handle given, const char* name, int beyond) {
  if (!PyIndex_Check(given.ptr()) || PyBool_Check(given.ptr())) {
    throw py::type_error(std::string(name) + ": expected an int, got a " +
                         Py_TYPE(given.ptr())->tp_name);
  }
  int overflow = 0;
  const long value = PyLong_AsLongAndOverflow(given.ptr(), &overflow);
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  const bool fits = overflow == 0 && value == static_cast<int>(value);
  return fits ? static_cast<int>(value) : beyond;
}

// Converts a process number; that of this process becomes 0, as the driver expects.
inline int to_pid(py::handle given) {
  const int pid = to_int(given, "pid", -1);
  return pid == ::getpid() ? 0 : pid;
}

// False if a node does not fit in the mask.
inline bool to_mask(const py::object& nodes, NodeMask* mask) {
  const py::array array = checked(nodes, kNodes);
  const auto* node = static_cast<const std::int32_t*>(array.data());
  for (py::ssize_t i = 0; i < array.size(); ++i) {
    if (node[i] < 0 || node[i] >= kMaxNodes) return false;
    mask->add(node[i]);
  }
  return true;
}

inline py::list to_list(const NodeMask& mask) {
  py::list nodes;
  for (std::int32_t node = 0; node < kMaxNodes; ++node) {
    if (mask.has(node)) nodes.append(node);
  }
  return nodes;
}

}  // namespace movepages::binding
