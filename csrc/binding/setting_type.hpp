// A context variable that is set within a `with` block.
#pragma once

#include <pybind11/pybind11.h>

#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>

namespace movepages::binding {

namespace py = pybind11;

class Setting {
 public:
  explicit Setting(const py::args& args) {
    std::tie(variable_, value_) = args.cast<std::tuple<py::object, py::object>>();
    if (!PyContextVar_CheckExact(variable_.ptr())) {
      throw py::type_error(std::string("variable: expected a contextvars.ContextVar, got a ") +
                           Py_TYPE(variable_.ptr())->tp_name);
    }
  }

  ~Setting() {
    const py::error_scope raised;
    if (!leave()) PyErr_Clear();
  }

  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  void enter() {
    if (token_) throw std::runtime_error("this Setting is entered already");
    token_ = py::reinterpret_steal<py::object>(PyContextVar_Set(variable_.ptr(), value_.ptr()));
    if (!token_) throw py::error_already_set();
  }

  // Returns false, with a Python exception set, on failure.
  bool leave() {
    if (!token_) return true;
    const py::object token = std::move(token_);
    return PyContextVar_Reset(variable_.ptr(), token.ptr()) == 0;
  }

 private:
  py::object variable_;
  py::object value_;
  py::object token_;  // set only while entered
};

}  // namespace movepages::binding
