// The engine in use: which way to the kernel is open.
#pragma once

#include <pybind11/pybind11.h>

#include <iterator>
#include <string>

#include "kernel/engine.hpp"

namespace movepages::binding {

namespace py = pybind11;

inline std::string engine_names() {
  std::string names;
  for (const char* name : kEngineNames) names += std::string(names.empty() ? "" : ", ") + name;
  return names;
}

inline void require_known_engine() {
  const char* name = unknown_engine();
  if (name == nullptr) return;
  throw py::value_error("MOVEPAGES_ENGINE: expected one of " + engine_names() + ", got \'" + name +
                        "\'");
}

// The table of the engine in use.
inline const Kernel& kernel() {
  require_known_engine();
  return kernel_in_use();
}

inline const char* engine_name() {
  require_known_engine();
  return kEngineNames[static_cast<std::size_t>(engine())];
}

// Uses the engine with this name from now on; None chooses anew.
inline void use_engine_named(const py::object& name) {
  if (name.is_none()) return use_engine(nullptr);
  for (std::size_t i = 0; PyUnicode_Check(name.ptr()) && i < std::size(kEngineNames); ++i) {
    const auto each = static_cast<Engine>(i);
    if (PyUnicode_CompareWithASCIIString(name.ptr(), kEngineNames[i]) == 0) {
      return use_engine(&each);
    }
  }
  throw py::value_error("engine: expected None or one of " + engine_names());
}

}  // namespace movepages::binding
