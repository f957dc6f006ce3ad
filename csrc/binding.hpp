// What the parts of the binding share: signals heard, outcomes told.
#pragma once

#include "arguments.hpp"
#include "migrate.hpp"

namespace movepages {

// Whether a signal handler raised, or the caller's `pause`, if there is one. Signals reach Python
// code in the main thread alone, so without a `pause` other threads need not wait for the GIL.
bool raised(void* pause) noexcept;

// None for a clean call; (errno, index of the refused node or -1) for one that failed; for one that
// a signal or `pause` ended, what was raised: returned, so that nobody takes it for a refusal.
py::object to_python(const Outcome& outcome);

// False for a node that no mask has room for.
bool to_mask(const py::object& nodes, NodeMask* mask);

// Adds what looks at memory without moving it.
void bind_looks(py::module_& module);
// Adds what says where pages to come are to be.
void bind_policy(py::module_& module);
// Adds context variables that are set for a block.
void bind_context(py::module_& module);
// Adds a heap for numpy's arrays.
void bind_heap(py::module_& module);

}  // namespace movepages
