// Objects of Python as memory.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>

namespace movepages::binding {

namespace py = pybind11;

// Bytes of the block at an object's own address. What it keeps elsewhere is left out: attributes,
// and the UTF-8 copy of a string, which sys.getsizeof() adds. 0 for what Python allocates only
// once.
inline std::int64_t own_bytes(PyObject* object) {
  if (object == Py_None || PyBool_Check(object) || PyType_Check(object)) return 0;
  const PyTypeObject* const type = Py_TYPE(object);
  if (PyUnicode_CheckExact(object)) {
    const auto kind = static_cast<std::int64_t>(PyUnicode_KIND(object));
    const std::int64_t length = PyUnicode_GET_LENGTH(object);
    if (length == 0 || (length == 1 && PyUnicode_READ_CHAR(object, 0) < 256)) return 0;
    const auto head =
        PyUnicode_IS_COMPACT_ASCII(object) ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
    return static_cast<std::int64_t>(head) + (length + 1) * kind;
  }
  if (PyBytes_CheckExact(object)) {
    const std::int64_t length = PyBytes_GET_SIZE(object);
    return length > 1 ? type->tp_basicsize + length : 0;
  }
  if (PyLong_CheckExact(object)) {
    int overflow = 0;
    const long value = PyLong_AsLongAndOverflow(object, &overflow);
    if (overflow == 0 && value >= -5 && value <= 256) return 0;
    return py::handle(object).attr("__sizeof__")().cast<std::int64_t>();
  }
  return type->tp_basicsize;
}

// Returns the address and own length in bytes of each object of a list.
inline py::tuple object_blocks(const py::list& given) {
  const auto objects = py::reinterpret_steal<py::tuple>(PyList_AsTuple(given.ptr()));
  if (!objects) throw py::error_already_set();
  const auto count = static_cast<py::ssize_t>(objects.size());
  py::array_t<std::uintptr_t> address(count);
  py::array_t<std::int64_t> nbytes(count);
  for (py::ssize_t index = 0; index < count; ++index) {
    PyObject* const each = PyTuple_GET_ITEM(objects.ptr(), index);
    address.mutable_data()[index] = reinterpret_cast<std::uintptr_t>(each);
    nbytes.mutable_data()[index] = own_bytes(each);
  }
  return py::make_tuple(address, nbytes);
}

}  // namespace movepages::binding
