// The heap as an allocator for NumPy arrays, in the layout that NEP 49 defines: a handler in a
// capsule, one for each context. An array keeps the handler that allocated it.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "binding/arguments.hpp"
#include "heap/node_heap.hpp"

namespace movepages::binding {

namespace py = pybind11;

constexpr char kCapsuleName[] = "mem_handler";

struct Allocator {
  void* heap;
  void* (*allocate)(void*, std::size_t);
  void* (*allocate_zeroed)(void*, std::size_t, std::size_t);
  void* (*resize)(void*, void*, std::size_t);
  void (*release)(void*, void*, std::size_t);
};

struct Handler {
  char name[127] = "movepages";
  std::uint8_t version = 1;
  Allocator allocator;
};

inline NodeHeap& heap_of(void* heap) { return *static_cast<NodeHeap*>(heap); }

inline void* allocate(void* heap, std::size_t bytes) { return heap_of(heap).allocate(bytes); }

inline void* allocate_zeroed(void* heap, std::size_t count, std::size_t each) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return nullptr;
  return heap_of(heap).allocate_zeroed(bytes);
}

inline void* resize(void* heap, void* block, std::size_t bytes) {
  return heap_of(heap).resize(block, bytes);
}

inline void release(void* heap, void* block, std::size_t /*bytes*/) {
  heap_of(heap).release(block);
}

inline void end(PyObject* capsule) {
  auto* handler = static_cast<Handler*>(PyCapsule_GetPointer(capsule, kCapsuleName));
  delete static_cast<NodeHeap*>(handler->allocator.heap);
  delete handler;
}

// PyDataMem_SetHandler returns a new reference to the previous handler. The numbers are indices
// into the table of NumPy's C API.
using SetHandler = PyObject* (*)(PyObject*);
constexpr std::size_t kSetHandler = 304;
using GetHandler = PyObject* (*)();
constexpr std::size_t kGetHandler = 305;

template <typename Function>
Function numpy_function(std::size_t index) {
  const py::object capsule =
      py::detail::import_numpy_core_submodule("multiarray").attr("_ARRAY_API");
  auto** functions = static_cast<void**>(PyCapsule_GetPointer(capsule.ptr(), nullptr));
  if (functions == nullptr) throw py::error_already_set();
  Function function = nullptr;
  std::memcpy(&function, &functions[index], sizeof(function));
  return function;
}

// A heap that numpy allocates from within a `with` block. It lives as long as the last array that
// was allocated from it.
class Heap {
 public:
  explicit Heap(const py::args& args)
      : set_handler_(numpy_function<SetHandler>(kSetHandler)),
        get_handler_(numpy_function<GetHandler>(kGetHandler)) {
    const auto [mode, nodes, huge_from] = args.cast<std::tuple<int, py::object, std::size_t>>();
    NodeMask mask;
    if (!to_mask(nodes, &mask)) throw py::value_error("nodes: expected ids below MAX_NODES");
    auto memory = std::make_unique<NodeHeap>(mode, mask, huge_from);
    auto handler = std::make_unique<Handler>();
    handler->allocator = {memory.get(), allocate, allocate_zeroed, resize, release};
    PyObject* capsule = PyCapsule_New(handler.get(), kCapsuleName, end);
    if (capsule == nullptr) throw py::error_already_set();
    static_cast<void>(handler.release());
    memory_ = memory.release();
    capsule_ = py::reinterpret_steal<py::object>(capsule);
  }

  ~Heap() {
    if (!before_) return;
    const py::error_scope raised;
    const auto now = py::reinterpret_steal<py::object>(get_handler_());
    if (!now.is(capsule_) || !leave()) PyErr_Clear();
  }

  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void enter() {
    if (used_) throw std::runtime_error("this allocating() was entered before; make another one");
    PyObject* before = set_handler_(capsule_.ptr());
    if (before == nullptr) throw py::error_already_set();
    before_ = py::reinterpret_steal<py::object>(before);
    used_ = true;
  }

  // Returns false, with a Python exception set, on failure.
  bool leave() {
    if (!before_) return true;
    const py::object before = std::move(before_);
    const auto ours = py::reinterpret_steal<py::object>(set_handler_(before.ptr()));
    // A single small array that lives on would otherwise keep every spare mapping.
    memory_->retire();
    return static_cast<bool>(ours);
  }

 private:
  const SetHandler set_handler_;
  const GetHandler get_handler_;
  NodeHeap* memory_ = nullptr;  // owned by the capsule
  py::object capsule_;
  py::object before_;  // set only while entered
  bool used_ = false;
};

}  // namespace movepages::binding
