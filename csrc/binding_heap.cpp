// NumPy's way to have the memory of its arrays from elsewhere, by the layout that NEP 49 fixed:
// a handler in a capsule, one for each context. An array keeps the handler it came from.
#include <cstring>
#include <memory>

#include "binding.hpp"
#include "node_heap.hpp"

namespace movepages {
namespace {

using namespace pybind11::literals;

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

NodeHeap& heap_of(void* heap) { return *static_cast<NodeHeap*>(heap); }

void* allocate(void* heap, std::size_t bytes) { return heap_of(heap).allocate(bytes); }

void* allocate_zeroed(void* heap, std::size_t count, std::size_t each) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, each, &bytes)) return nullptr;
  return heap_of(heap).allocate_zeroed(bytes);
}

void* resize(void* heap, void* block, std::size_t bytes) {
  return heap_of(heap).resize(block, bytes);
}

void release(void* heap, void* block, std::size_t /*bytes*/) { heap_of(heap).release(block); }

void end(PyObject* capsule) {
  auto* handler = static_cast<Handler*>(PyCapsule_GetPointer(capsule, kCapsuleName));
  delete static_cast<NodeHeap*>(handler->allocator.heap);
  delete handler;
}

// Takes the handler's reference to the one before, as NumPy's C interface numbers it.
using SetHandler = PyObject* (*)(PyObject*);
constexpr std::size_t kSetHandler = 304;

SetHandler numpy_set_handler() {
  const py::object capsule =
      py::detail::import_numpy_core_submodule("multiarray").attr("_ARRAY_API");
  auto** functions = static_cast<void**>(PyCapsule_GetPointer(capsule.ptr(), nullptr));
  if (functions == nullptr) throw py::error_already_set();
  SetHandler function = nullptr;
  std::memcpy(&function, &functions[kSetHandler], sizeof(function));
  return function;
}

// A handler whose heap lives as long as the last array from it.
py::object heap(int mode, const py::object& nodes, std::size_t huge_from) {
  NodeMask mask;
  if (!to_mask(nodes, &mask)) throw py::value_error("nodes: expected ids below MAX_NODES");
  auto memory = std::make_unique<NodeHeap>(mode, mask, huge_from);
  auto handler = std::make_unique<Handler>();
  handler->allocator = {memory.get(), allocate, allocate_zeroed, resize, release};
  PyObject* capsule = PyCapsule_New(handler.get(), kCapsuleName, end);
  if (capsule == nullptr) throw py::error_already_set();
  static_cast<void>(handler.release());
  static_cast<void>(memory.release());
  return py::reinterpret_steal<py::object>(capsule);
}

void require_handler(const py::object& handler) {
  if (PyCapsule_IsValid(handler.ptr(), kCapsuleName) == 0)
    throw py::type_error("expected what heap() or use_heap() returned");
}

py::object use_heap(const py::object& handler) {
  require_handler(handler);
  PyObject* before = numpy_set_handler()(handler.ptr());
  if (before == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(before);
}

void retire_heap(const py::object& handler) {
  require_handler(handler);
  auto* ours = static_cast<Handler*>(PyCapsule_GetPointer(handler.ptr(), kCapsuleName));
  if (ours->allocator.allocate != allocate) throw py::type_error("expected what heap() returned");
  heap_of(ours->allocator.heap).retire();
}

}  // namespace

void bind_heap(py::module_& module) {
  module.def("heap", &heap, "mode"_a, "nodes"_a, "huge_from"_a,
             "A handler for use_heap() whose memory follows a policy.");
  module.def("use_heap", &use_heap, "handler"_a,
             "Have numpy allocate by a handler in this context; returns the one before.");
  module.def("retire_heap", &retire_heap, "handler"_a,
             "Give back what heap() keeps for arrays to come, and keep nothing from now on.");
}

}  // namespace movepages
