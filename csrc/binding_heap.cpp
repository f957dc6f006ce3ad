// NumPy's way to have the memory of its arrays from elsewhere, by the layout that NEP 49 fixed:
// a handler in a capsule, one for each context. An array keeps the handler it came from.
#include <cstring>
#include <memory>
#include <stdexcept>
#include <utility>

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

// A heap that numpy allocates from within a `with` block. It lives as long as the last array from
// it. Entering and leaving run no Python, so that no signal handler can raise between the change of
// numpy's handler and the note of what was before.
class Heap {
 public:
  Heap(int mode, const py::object& nodes, std::size_t huge_from)
      : set_handler_(numpy_function<SetHandler>(kSetHandler)),
        get_handler_(numpy_function<GetHandler>(kGetHandler)) {
    NodeMask mask;
    if (!to_mask(nodes, &mask)) throw py::value_error("nodes: expected ids below MAX_NODES");
    auto memory = std::make_unique<NodeHeap>(mode, mask, huge_from);
    auto handler = std::make_unique<Handler>();
    handler->allocator = {memory.get(), allocate, allocate_zeroed, resize, movepages::release};
    PyObject* capsule = PyCapsule_New(handler.get(), kCapsuleName, end);
    if (capsule == nullptr) throw py::error_already_set();
    static_cast<void>(handler.release());
    memory_ = memory.release();
    capsule_ = py::reinterpret_steal<py::object>(capsule);
  }

  // A `with` whose block was never reached leaves the heap behind as it was entered.
  ~Heap() {
    if (!before_) return;
    const py::error_scope raised;
    const auto now = py::reinterpret_steal<py::object>(get_handler_());
    if (now.is(capsule_)) leave();
    PyErr_Clear();
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

  void exit(const py::args& /*raised*/) {
    if (before_ && !leave()) throw py::error_already_set();
  }

 private:
  bool leave() {
    const py::object before = std::move(before_);
    Py_XDECREF(set_handler_(before.ptr()));
    // One small array that lives on would keep all that waits for others to come.
    memory_->retire();
    return PyErr_Occurred() == nullptr;
  }

  const SetHandler set_handler_;
  const GetHandler get_handler_;
  NodeHeap* memory_ = nullptr;  // the capsule's
  py::object capsule_;
  py::object before_;  // only while entered
  bool used_ = false;
};

}  // namespace

void bind_heap(py::module_& module) {
  py::class_<Heap>(module, "Heap", "Has numpy allocate by a policy within a `with` block.")
      .def(py::init<int, const py::object&, std::size_t>(), "mode"_a, "nodes"_a, "huge_from"_a)
      .def("__enter__", &Heap::enter)
      .def("__exit__", &Heap::exit);
}

}  // namespace movepages
