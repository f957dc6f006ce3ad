#include <stdexcept>

#include "binding.hpp"

namespace movepages {
namespace {

using namespace pybind11::literals;

// A context variable that has a value within a `with` block. Entering and leaving run no Python, so
// that no signal handler can raise in between and leave the variable set.
class Setting {
 public:
  Setting(py::object variable, py::object value)
      : variable_(std::move(variable)), value_(std::move(value)) {
    if (!PyContextVar_CheckExact(variable_.ptr()))
      throw py::type_error("variable: expected a contextvars.ContextVar, got a " +
                           std::string(Py_TYPE(variable_.ptr())->tp_name));
  }

  // A `with` whose block was never reached.
  ~Setting() {
    if (!token_) return;
    const py::error_scope raised;
    if (!leave()) PyErr_Clear();
  }

  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  void enter() {
    if (token_) throw std::runtime_error("this is entered already");
    token_ = py::reinterpret_steal<py::object>(PyContextVar_Set(variable_.ptr(), value_.ptr()));
    if (!token_) throw py::error_already_set();
  }

  void exit(const py::args& /*raised*/) {
    if (token_ && !leave()) throw py::error_already_set();
  }

 private:
  bool leave() {
    const py::object token = std::move(token_);
    return PyContextVar_Reset(variable_.ptr(), token.ptr()) == 0;
  }

  const py::object variable_;
  const py::object value_;
  py::object token_;
};

}  // namespace

void bind_context(py::module_& module) {
  py::class_<Setting>(module, "Setting", "Has a context variable keep a value in a `with` block.")
      .def(py::init<py::object, py::object>(), "variable"_a, "value"_a)
      .def("__enter__", &Setting::enter)
      .def("__exit__", &Setting::exit);
}

}  // namespace movepages
