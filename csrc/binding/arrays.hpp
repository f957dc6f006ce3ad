// Whole arrays and buffers.
#pragma once

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

#include "binding/arguments.hpp"
#include "binding/engine.hpp"
#include "binding/without_gil.hpp"
#include "driver/query.hpp"
#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/syscalls.hpp"

namespace movepages::binding {

// Querying this few pages costs less than finding out whether the query is worth it.
constexpr std::size_t kFewPages = std::min(std::size_t{64}, Query::kPortion);

// Whether elements of an array, or fields of them, lie elsewhere, behind pointers: objects and
// StringDType.
inline bool has_elements_elsewhere(const py::array& array) {
  constexpr auto kHasObject = 1U;  // NPY_ITEM_HASOBJECT of numpy's C API
  return (array.dtype().flags() & kHasObject) != 0;
}

// The bytes and the pages of a contiguous array, with all its elements in place, that one call
// covers.
class SmallArray {
 public:
  // The array is empty if `given` is not such an array.
  explicit SmallArray(const py::object& given) {
    if (Py_TYPE(given.ptr()) != py::detail::npy_api::get().PyArray_Type_) return;
    const auto array = py::reinterpret_borrow<py::array>(given);
    const auto nbytes = static_cast<std::size_t>(array.nbytes());
    if (nbytes == 0 || nbytes > (kFewPages - 1) * page_bytes() ||
        !has_flag(array, Flags::NPY_ARRAY_C_CONTIGUOUS_) || has_elements_elsewhere(array)) {
      return;
    }
    begin_ = reinterpret_cast<std::uintptr_t>(array.data());
    end_ = begin_ + nbytes;
    // The last page may end at 2**64, so addresses cannot be compared.
    count_ = (begin_ - first() + nbytes + page_bytes() - 1) / page_bytes();
    for (std::size_t i = 0; i < count_; ++i) pages_[i] = first() + i * page_bytes();
  }

  std::uintptr_t begin() const noexcept { return begin_; }
  std::uintptr_t first() const noexcept { return begin_ / page_bytes() * page_bytes(); }
  std::size_t count() const noexcept { return count_; }
  std::size_t nbytes() const noexcept { return end_ - begin_; }

  // Returns the node of all pages, or a negative number if there is no such node.
  std::int32_t node() const noexcept {
    std::int32_t status[kFewPages];
    const long ret = kernel_in_use().move_pages(0, count_, pages_, nullptr, status, kMpolMfMove);
    const auto same = [&status](std::int32_t each) { return each == status[0]; };
    return ret == 0 && std::all_of(status, status + count_, same) ? status[0] : -1;
  }

  // Returns how many of the bytes are in huge pages, or a negative number if it is unknown.
  std::int64_t huge_bytes() const noexcept {
    Pagemap pagemap(0);
    Region found[kFewPages];
    std::uintptr_t start = first();
    const long regions =
        scan_huge(pagemap, &start, first() + count_ * page_bytes(), found, kFewPages);
    std::int64_t sum = regions < 0 ? -1 : 0;
    for (long i = 0; i < regions; ++i) {
      const std::uintptr_t from = std::max<std::uintptr_t>(found[i].start, begin_);
      const std::uintptr_t to = std::min<std::uintptr_t>(found[i].end, end_);
      sum += static_cast<std::int64_t>(to - from);
    }
    return sum;
  }

 private:
  std::uintptr_t begin_ = 0;
  std::uintptr_t end_ = 0;
  std::uintptr_t pages_[kFewPages];
  std::size_t count_ = 0;
};

// Returns (first page, number of pages) of a small contiguous array if all its pages are on the
// node `target` and this thread may use that node. Returns None if a page is elsewhere, if the
// answer takes more than one call, or if `given` is not such an array.
inline py::object all_on_node(const py::object& given, const py::object& target) {
  const int node = to_int(target, "node", -1);
  const SmallArray array(given);
  NodeMask allowed;
  if (array.count() == 0 || node < 0 || node >= kMaxNodes || !kernel().allowed_nodes(allowed) ||
      !allowed.has(node)) {
    return py::none();
  }
  std::int32_t found = -1;
  {
    const WithoutGil release;
    found = array.node();
  }
  return found == node ? py::object(py::make_tuple(array.first(), array.count())) : py::none();
}

// Returns the array if it is dense, one-dimensional and of exactly the class ndarray; else null.
inline const py::detail::PyArray_Proxy* dense(const py::object& given, const py::dtype& dtype) {
  constexpr int kDense = Flags::NPY_ARRAY_C_CONTIGUOUS_ | Flags::NPY_ARRAY_ALIGNED_;
  if (Py_TYPE(given.ptr()) != py::detail::npy_api::get().PyArray_Type_) return nullptr;
  const auto* const array = py::detail::array_proxy(given.ptr());
  const bool fits = array->nd == 1 && (array->flags & kDense) == kDense;
  return fits && array->descr == dtype.ptr() ? array : nullptr;
}

// Queries a few pages with one call, and returns their statuses: `status`, or a new array if that
// is None. Returns None if the driver has to look: a page is on no node, or an argument is not as
// move_pages() takes it.
inline py::object query_few(const py::object& pages, const py::object& status) {
  const auto* const asked = dense(pages, py::dtype::of<std::uintptr_t>());
  if (asked == nullptr) return py::none();
  const py::ssize_t count = asked->dimensions[0];
  if (count == 0 || count > static_cast<py::ssize_t>(kFewPages)) return py::none();
  const py::object result = status.is_none() ? py::array_t<std::int32_t>(count) : status;
  const auto* const told = dense(result, py::dtype::of<std::int32_t>());
  if (told == nullptr || told->dimensions[0] != count ||
      (told->flags & Flags::NPY_ARRAY_WRITEABLE_) == 0) {
    return py::none();
  }
  const auto* const addresses = reinterpret_cast<const std::uintptr_t*>(asked->data);
  auto* const nodes = reinterpret_cast<std::int32_t*>(told->data);
  const bool apart = told->data >= reinterpret_cast<const char*>(addresses + count) ||
                     asked->data >= reinterpret_cast<const char*>(nodes + count);
  if (!apart) return py::none();
  const Kernel& table = kernel();
  long ret = 0;
  {
    const WithoutGil release;
    ret = table.move_pages(0, static_cast<std::size_t>(count), addresses, nullptr, nodes,
                           kMpolMfMove);
  }
  const bool complete = ret == 0 && *std::min_element(nodes, nodes + count) >= 0;
  return complete ? result : py::none();
}

// One record of RUN_DTYPE in movepages/pages/runs.py.
struct [[gnu::packed]] RunRecord {
  std::uintptr_t address;
  std::int64_t pages;
  std::int64_t nbytes;
  std::int32_t status;
};

// Returns (address, number of pages, run of these as bytes, bytes in huge pages or None) of a small
// contiguous array with all its elements in place, if all its pages are on one node; else None.
inline py::object small_on_one_node(const py::object& given) {
  require_known_engine();
  const SmallArray array(given);
  if (array.count() == 0) return py::none();
  std::int32_t node = -1;
  std::int64_t huge = -1;
  {
    const WithoutGil release;
    node = array.node();
    if (node >= 0) huge = array.huge_bytes();
  }
  if (node < 0) return py::none();
  const py::object told = huge < 0 ? py::object(py::none()) : py::int_(huge);
  const RunRecord run = {array.first(), static_cast<std::int64_t>(array.count()),
                         static_cast<std::int64_t>(array.nbytes()), node};
  const py::bytes record(reinterpret_cast<const char*>(&run), sizeof run);
  return py::make_tuple(array.begin(), array.count(), record, told);
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

// Reads arrays one after another. Most have the same dtype, which is then read once.
class ContiguousArrays {
 public:
  // Returns the bytes of an array, or a negative number if `given` is not a contiguous array of
  // exactly the class ndarray with all its elements in place.
  std::int64_t nbytes(PyObject* given) {
    if (Py_TYPE(given) != exactly_) return -1;
    const auto* const array = py::detail::array_proxy(given);
    if ((array->flags & Flags::NPY_ARRAY_C_CONTIGUOUS_) == 0) return -1;
    if (array->descr != dtype_.ptr()) {
      const auto whole = py::reinterpret_borrow<py::array>(given);
      dtype_ = whole.dtype();
      itemsize_ = has_elements_elsewhere(whole) ? -1 : whole.itemsize();
    }
    if (itemsize_ < 0) return -1;
    return std::accumulate(array->dimensions, array->dimensions + array->nd,
                           std::int64_t{itemsize_}, std::multiplies<>());
  }

 private:
  PyTypeObject* exactly_ = py::detail::npy_api::get().PyArray_Type_;
  py::object dtype_;
  py::ssize_t itemsize_ = -1;
};

// Returns the address and length in bytes of each array of a list or tuple, and the indices of
// those with two or more dimensions. Returns None if not all are contiguous arrays of exactly the
// class ndarray with all their elements in place.
inline py::object contiguous_arrays(const py::object& given) {
  if (!PyList_CheckExact(given.ptr()) && !PyTuple_CheckExact(given.ptr())) {
    throw py::type_error("expected a list or a tuple, got a " +
                         std::string(Py_TYPE(given.ptr())->tp_name));
  }
  // Another thread may change a list meanwhile.
  const auto sequence = py::reinterpret_steal<py::tuple>(PySequence_Tuple(given.ptr()));
  if (!sequence) throw py::error_already_set();
  const auto count = static_cast<py::ssize_t>(sequence.size());
  py::array_t<std::uintptr_t> address(count);
  py::array_t<std::int64_t> nbytes(count);
  std::vector<std::int64_t> many_axes;
  ContiguousArrays arrays;
  std::uintptr_t* const addresses = address.mutable_data();
  std::int64_t* const lengths = nbytes.mutable_data();
  for (py::ssize_t index = 0; index < count; ++index) {
    PyObject* const each = PyTuple_GET_ITEM(sequence.ptr(), index);
    lengths[index] = arrays.nbytes(each);
    if (lengths[index] < 0) return py::none();
    addresses[index] = reinterpret_cast<std::uintptr_t>(py::detail::array_proxy(each)->data);
    if (py::detail::array_proxy(each)->nd > 1) many_axes.push_back(index);
  }
  const auto several = static_cast<py::ssize_t>(many_axes.size());
  return py::make_tuple(address, nbytes, py::array_t<std::int64_t>(several, many_axes.data()));
}

}  // namespace movepages::binding
