// Reads what an object exports by DLPack. The structures follow its C ABI, version 1:
// https://dmlc.github.io/dlpack/latest/c_api.html
#pragma once

#include <pybind11/critical_section.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace movepages::binding {

namespace py = pybind11;

struct DLDevice {
  std::int32_t type;
  std::int32_t id;
};

struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};

struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};

struct DLManagedTensor {
  static constexpr const char* kName = "dltensor";
  static constexpr const char* kUsed = "used_dltensor";

  DLTensor tensor;
  void* context;
  void (*deleter)(DLManagedTensor*);
};

// Of another major version, only the members before `flags` are in these places.
struct DLManagedTensorVersioned {
  static constexpr const char* kName = "dltensor_versioned";
  static constexpr const char* kUsed = "used_dltensor_versioned";
  static constexpr std::uint32_t kMajor = 1;
  static constexpr std::uint64_t kIsCopied = 1 << 1, kIsPadded = 1 << 2;

  std::uint32_t major;
  std::uint32_t minor;
  void* context;
  void (*deleter)(DLManagedTensorVersioned*);
  std::uint64_t flags;
  DLTensor tensor;
};

constexpr const char* kOwner = "movepages.dlpack_owner";
constexpr std::int32_t kMostAxes = 64;

[[noreturn]] inline void refuse(const std::string& why) {
  throw py::value_error("invalid DLPack tensor: " + why);
}

inline std::int64_t product(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) refuse("its shape or strides exceed 63 bits");
  return result;
}

// Where the elements of a tensor are, in bytes.
struct Elements {
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
  std::int64_t itemsize;
  bool empty;
};

inline Elements elements_of(const DLTensor& tensor, bool padded) {
  const std::int64_t bits = padded ? (tensor.dtype.bits + 7) / 8 * 8 : tensor.dtype.bits;
  const std::int64_t item_bits = bits * tensor.dtype.lanes;
  if (item_bits == 0) refuse("its elements have 0 bits");
  if (tensor.ndim < 0 || tensor.ndim > kMostAxes) {
    refuse("expected at most 64 axes, got " + std::to_string(tensor.ndim));
  }
  const auto axes = static_cast<std::size_t>(tensor.ndim);
  if (axes > 0 && tensor.shape == nullptr) refuse("it has axes but no shape");
  Elements found{
      {tensor.shape, tensor.shape + axes}, std::vector<std::int64_t>(axes), item_bits / 8, false};
  std::int64_t count = 1;
  bool contiguous = true;
  for (std::size_t axis = axes; axis-- > 0;) {
    const std::int64_t length = found.shape[axis];
    if (length < 0) refuse("its shape has a negative length, " + std::to_string(length));
    // The stride of an axis of one element means nothing, and may be any number.
    const bool steps = tensor.strides != nullptr && length > 1;
    const std::int64_t stride = steps ? tensor.strides[axis] : count;
    contiguous = contiguous && (length < 2 || stride == count);
    found.strides[axis] = product(stride, found.itemsize);
    found.empty = found.empty || length == 0;
    count = product(count, std::max(length, std::int64_t{1}));
  }
  const std::int64_t all_bits = product(count, item_bits);
  if (item_bits % 8 == 0) return found;
  if (!contiguous && !found.empty) {
    throw py::type_error("expected elements of whole bytes, got strided ones of " +
                         std::to_string(item_bits) + " bits; pass a contiguous tensor");
  }
  const std::int64_t nbytes = all_bits / 8 + (all_bits % 8 != 0);
  return {{found.empty ? 0 : nbytes}, {1}, 1, found.empty};
}

inline py::tuple as_tuple(const std::vector<std::int64_t>& values) {
  py::tuple made(values.size());
  for (std::size_t index = 0; index < values.size(); ++index) {
    made[index] = py::int_(values[index]);
  }
  return made;
}

template <typename Managed>
void delete_exported(PyObject* owner) {
  // The deleter may run Python code, which an exception on its way to the caller must not disturb.
  const py::error_scope on_its_way;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(owner, kOwner));
  if (managed->deleter != nullptr) managed->deleter(managed);
}

[[noreturn]] inline void refuse_capsule(const py::object& given) {
  const std::string got = PyCapsule_CheckExact(given.ptr())
                              ? std::string(py::str(py::repr(given)))
                              : "a " + std::string(Py_TYPE(given.ptr())->tp_name);
  throw py::type_error("expected a new DLPack capsule, got " + got);
}

// Takes the tensor out of a capsule. The object returned calls the deleter when it is destroyed.
template <typename Managed>
py::object take(const py::object& capsule) {
  void* managed = PyCapsule_GetPointer(capsule.ptr(), Managed::kName);
  if (managed == nullptr) throw py::error_already_set();
  auto owner = py::reinterpret_steal<py::object>(PyCapsule_New(managed, kOwner, nullptr));
  if (!owner) throw py::error_already_set();
  {
    // Another thread may have taken the tensor meanwhile.
    const py::scoped_critical_section only_one(capsule);
    if (!PyCapsule_IsValid(capsule.ptr(), Managed::kName)) refuse_capsule(capsule);
    if (PyCapsule_SetName(capsule.ptr(), Managed::kUsed) != 0) throw py::error_already_set();
  }
  PyCapsule_SetDestructor(owner.ptr(), delete_exported<Managed>);
  return owner;
}

inline py::tuple described(const DLTensor& tensor, std::uint64_t flags, const py::object& owner) {
  const Elements found = elements_of(tensor, (flags & DLManagedTensorVersioned::kIsPadded) != 0);
  std::uint64_t address = 0;
  if (__builtin_add_overflow(reinterpret_cast<std::uintptr_t>(tensor.data), tensor.byte_offset,
                             &address)) {
    refuse("its byte offset leads beyond 64 bits");
  }
  if (tensor.data == nullptr && !found.empty) refuse("it has elements but no data");
  return py::make_tuple(address, as_tuple(found.shape), as_tuple(found.strides), found.itemsize,
                        owner, tensor.device.type, tensor.device.id,
                        (flags & DLManagedTensorVersioned::kIsCopied) != 0);
}

// Consumes a capsule. Returns the address, shape, strides in bytes and size of the elements; an
// object that keeps them; the type and number of their device; and whether they are a copy.
inline py::tuple dlpack_memory(const py::object& capsule) {
  if (PyCapsule_IsValid(capsule.ptr(), DLManagedTensor::kName)) {
    const py::object owner = take<DLManagedTensor>(capsule);
    const auto* managed = static_cast<DLManagedTensor*>(PyCapsule_GetPointer(owner.ptr(), kOwner));
    return described(managed->tensor, 0, owner);
  }
  if (!PyCapsule_IsValid(capsule.ptr(), DLManagedTensorVersioned::kName)) refuse_capsule(capsule);
  const py::object owner = take<DLManagedTensorVersioned>(capsule);
  const auto* managed =
      static_cast<DLManagedTensorVersioned*>(PyCapsule_GetPointer(owner.ptr(), kOwner));
  if (managed->major != DLManagedTensorVersioned::kMajor) {
    throw py::type_error("expected DLPack version 1, got version " +
                         std::to_string(managed->major));
  }
  return described(managed->tensor, managed->flags, owner);
}

}  // namespace movepages::binding
