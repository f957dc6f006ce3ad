// Whole arrays and buffers.
#pragma once

#include <algorithm>

#include "binding/arguments.hpp"
#include "driver/query.hpp"
#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/syscalls.hpp"

namespace movepages::binding {

// Querying this few pages costs less than finding out whether the query is worth it.
constexpr std::size_t kFewPages = std::min(std::size_t{64}, Query::kPortion);

// Returns (first page, number of pages) of a small contiguous array if all its pages are on the
// node `target` and this thread may use that node. Returns None if a page is elsewhere, if the
// answer takes more than one call, or if `given` is not such an array.
inline py::object all_on_node(const py::object& given, const py::object& target) {
  const int node = to_int(target, "node", -1);
  if (Py_TYPE(given.ptr()) != py::detail::npy_api::get().PyArray_Type_) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(given);
  const auto nbytes = static_cast<std::size_t>(array.nbytes());
  if (nbytes == 0 || nbytes > (kFewPages - 1) * page_bytes() || node < 0 || node >= kMaxNodes ||
      !has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_)) {
    return py::none();
  }
  const std::uintptr_t lead = reinterpret_cast<std::uintptr_t>(array.data()) % page_bytes();
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(array.data()) - lead;
  // The last page may end at 2**64, so addresses cannot be compared.
  const std::size_t count = (lead + nbytes + page_bytes() - 1) / page_bytes();
  std::uintptr_t pages[kFewPages];
  std::int32_t status[kFewPages];
  for (std::size_t i = 0; i < count; ++i) pages[i] = first + i * page_bytes();
  NodeMask allowed;
  const Kernel& kernel = real_kernel();
  if (!kernel.allowed_nodes(allowed) || !allowed.has(node)) return py::none();
  long ret = 0;
  {
    const py::gil_scoped_release release;
    ret = kernel.move_pages(0, count, pages, nullptr, status, kMpolMfMove);
  }
  const auto placed = [node](std::int32_t on) { return on == node; };
  if (ret != 0 || !std::all_of(status, status + count, placed)) return py::none();
  return py::make_tuple(first, count);
}

// numpy refuses buffers with a format that it does not know. The address does not depend on the
// format.
inline std::uintptr_t buffer_address(const py::object& view) {
  Py_buffer buffer;
  if (PyObject_GetBuffer(view.ptr(), &buffer, PyBUF_FULL_RO) != 0) throw py::error_already_set();
  const auto address = reinterpret_cast<std::uintptr_t>(buffer.buf);
  PyBuffer_Release(&buffer);
  return address;
}

// Whether the elements of an array may lie elsewhere, behind pointers: objects, and StringDType,
// which has no kind that old versions of numpy know.
inline bool has_elements_elsewhere(const py::array& array) {
  const char kind = array.dtype().kind();
  return kind == 'O' || kind == 'T';
}

// Returns the address and length in bytes of each array of a list or tuple. The length is -1 for
// what is not a contiguous array of exactly the class ndarray with all its elements in place.
inline py::tuple contiguous_arrays(const py::object& given) {
  if (!PyList_CheckExact(given.ptr()) && !PyTuple_CheckExact(given.ptr())) {
    throw py::type_error("expected a list or a tuple, got a " +
                         std::string(Py_TYPE(given.ptr())->tp_name));
  }
  const auto sequence = py::reinterpret_steal<py::tuple>(PySequence_Tuple(given.ptr()));
  if (!sequence) throw py::error_already_set();
  const auto count = static_cast<py::ssize_t>(sequence.size());
  py::array_t<std::uintptr_t> address(count);
  py::array_t<std::int64_t> nbytes(count);
  PyTypeObject* const exactly = py::detail::npy_api::get().PyArray_Type_;
  for (py::ssize_t index = 0; index < count; ++index) {
    const py::handle each = PyTuple_GET_ITEM(sequence.ptr(), index);
    address.mutable_data()[index] = 0;
    nbytes.mutable_data()[index] = -1;
    if (Py_TYPE(each.ptr()) != exactly) continue;
    const auto array = py::reinterpret_borrow<py::array>(each);
    if (!has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_) || has_elements_elsewhere(array)) continue;
    address.mutable_data()[index] = reinterpret_cast<std::uintptr_t>(array.data());
    nbytes.mutable_data()[index] = array.nbytes();
  }
  return py::make_tuple(address, nbytes);
}

}  // namespace movepages::binding
