// A Python type for a `with` block whose entry and exit run no Python code, so that no signal
// handler can raise between a change and the record of the state before it. Only `__new__` creates
// instances, so that Python code never sees one without its block.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <memory>
#include <new>
#include <string>

namespace movepages::binding {

namespace py = pybind11;

// A Block has a constructor from py::args, enter() and leave(). Its destructor leaves a block that
// is still entered.
template <typename Block>
class BlockType {
 public:
  static void add(py::module_& module, const char* name, const char* doc) {
    static PyMethodDef methods[] = {
        {"__enter__", enter, METH_NOARGS, nullptr},
        {"__exit__", exit, METH_VARARGS, nullptr},
        {},
    };
    PyType_Slot slots[] = {
        {Py_tp_new, as_slot(make)},
        {Py_tp_dealloc, as_slot(drop)},
        {Py_tp_methods, methods},
        {Py_tp_doc, const_cast<char*>(doc)},
        {0, nullptr},
    };
    const std::string full = std::string("movepages._core.") + name;
    PyType_Spec spec = {full.c_str(), sizeof(Object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                        slots};
    const auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&spec));
    if (!type) throw py::error_already_set();
    module.attr(name) = type;
  }

 private:
  struct Object {
    PyObject_HEAD Block* block;
  };

  template <typename Function>
  static void* as_slot(Function* function) {
    return reinterpret_cast<void*>(function);
  }

  static Block& block_of(PyObject* self) { return *reinterpret_cast<Object*>(self)->block; }

  template <typename Do>
  static PyObject* guarded(const Do& what) noexcept {
    try {
      return what();
    } catch (py::error_already_set& error) {
      error.restore();
    } catch (const py::cast_error&) {
      PyErr_SetString(PyExc_TypeError, "expected other arguments, see the docstring");
    } catch (const py::builtin_exception& error) {
      error.set_error();
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    } catch (const std::exception& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what());
    }
    return nullptr;
  }

  static PyObject* make(PyTypeObject* type, PyObject* args, PyObject* named) {
    return guarded([&]() -> PyObject* {
      if (named != nullptr && PyDict_GET_SIZE(named) > 0)
        throw py::type_error(std::string(type->tp_name) + " takes no keyword arguments");
      auto block = std::make_unique<Block>(py::reinterpret_borrow<py::args>(args));
      PyObject* self = type->tp_alloc(type, 0);
      if (self != nullptr) reinterpret_cast<Object*>(self)->block = block.release();
      return self;
    });
  }

  static void drop(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    delete reinterpret_cast<Object*>(self)->block;
    type->tp_free(self);
    Py_DECREF(type);
  }

  static PyObject* enter(PyObject* self, PyObject* /*nothing*/) {
    return guarded([&] {
      block_of(self).enter();
      return py::none().release().ptr();
    });
  }

  static PyObject* exit(PyObject* self, PyObject* /*raised*/) {
    return guarded([&] {
      if (!block_of(self).leave()) throw py::error_already_set();
      return py::none().release().ptr();
    });
  }
};

}  // namespace movepages::binding
