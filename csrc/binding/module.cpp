// The functions of movepages._core. pybind11 takes four seconds to compile before a file holds
// anything of its own, so the binding is this file and headers that nothing else includes.
#include <cstring>
#include <exception>
#include <stdexcept>

#include "binding/arrays.hpp"
#include "binding/block_type.hpp"
#include "binding/heap_type.hpp"
#include "binding/machine.hpp"
#include "binding/move.hpp"
#include "binding/policies.hpp"
#include "binding/ranges.hpp"
#include "binding/setting_type.hpp"
#include "driver/migrate.hpp"
#include "kernel/hidden.hpp"
#include "kernel/kernel.hpp"
#include "kernel/pagemap.hpp"
#include "kernel/policy.hpp"
#include "kernel/syscalls.hpp"

namespace py = pybind11;
using namespace pybind11::literals;
using namespace movepages::binding;

namespace {

// pybind11 throws a RuntimeError where it has no memory for a bytes, list, tuple or str.
void translate_memory_errors() {
  py::register_local_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const std::runtime_error& error) {
      if (std::strncmp(error.what(), "Could not allocate", 18) != 0) throw;
      PyErr_NoMemory();
    }
  });
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  translate_memory_errors();
  module.doc() = "move_pages(2) on numpy arrays, in place and with the GIL released.";
  module.attr("HUGE_PAGE_BYTES") = movepages::huge_page_bytes();
  module.attr("HIDDEN") = movepages::kHidden;
  module.attr("MAX_NODES") = movepages::kMaxNodes;
  module.attr("MPOL_MF_MOVE") = movepages::kMpolMfMove;
  module.attr("MPOL_MF_MOVE_ALL") = movepages::kMpolMfMoveAll;
  module.attr("NOT_ATTEMPTED") = movepages::kNotAttempted;
  module.attr("PRESENCE") = presence_kinds();

  // Lists of pages.
  module.def("move_pages", &move_pages, "pages"_a, "nodes"_a, "status"_a, "pid"_a, "flags"_a,
             "pause"_a,
             "Query or move; None, (errno, index of the refused node or -1), or (what was raised, "
             "pages behind which none was attempted).");
  module.def("untold", &untold, "count"_a,
             "Statuses of pages not attempted, unwritten; None where there is no room for them.");
  module.def("sort_out", &sort_out, "pages"_a, "before"_a, "wanted"_a,
             "Status, whether as wanted; and index, address and node of pages to be moved.");
  module.def("mempolicy_nodes", &mempolicy_nodes, "pages"_a,
             "Node of each page by get_mempolicy(2), or -errno; faults absent pages in.");

  // Ranges and arrays, looked at.
  module.def("survey", &survey_ranges, "starts"_a, "pages"_a, "pid"_a, "flags"_a, "threads"_a,
             "fewest"_a, "by_number"_a, "ask_small"_a, "pause"_a,
             "Failure as of move_pages, and starts, pages, statuses and kinds of runs.");
  module.def("presence", &presence_in, "starts"_a, "ends"_a, "pid"_a,
             "Starts, ends and kinds of stretches of ranges; None where it cannot be told.");
  module.def("scan_huge", &huge_ranges, "start"_a, "end"_a, "pid"_a,
             "Starts and ends of what huge pages map in a range; None where it cannot be told.");
  module.def("reach", &reach_of, "start"_a, "end"_a, "most"_a, "pid"_a,
             "How far one can go and meet at most so many pages; None where it cannot be told.");
  module.def(
      "glance", &glance, "array"_a, "node"_a,
      "First page and pages of a small array that is whole on a node; None where not known.");
  module.def("buffer_address", &buffer_address, "view"_a, "Where a buffer's first element is.");

  // Policies and advice.
  module.def("bind", &bind, "start"_a, "nbytes"_a, "mode"_a, "nodes"_a, "flags"_a,
             "mbind(2) of a range on page borders: 0 or an errno.");
  module.def("policy", &policy, "address"_a, "Errno, mode with its flags, and nodes.");
  module.def("advise", &advise_range, "start"_a, "nbytes"_a, "advice"_a, "part"_a,
             "madvise(2) part by part: errno, and how many bytes were advised.");
  module.def("advise_each", &advise_each, "starts"_a, "nbytes"_a, "advice"_a, "pid"_a,
             "madvise(2), or process_madvise(2), of several ranges: the errno of each, or 0.");
  module.def("resident", &resident, "start"_a, "nbytes"_a,
             "mincore(2): errno, and where stretches of pages in memory begin and end.");
  module.def(
      "tells_what_is_in_memory", &movepages::tells_what_is_in_memory, "start"_a,
      "Whether resident() is surely true of the shared mapping that begins or goes on here.");
  module.def("migrate_process", &migrate_process, "pid"_a, "from_nodes"_a, "to_nodes"_a,
             "migrate_pages(2): errno, and how many pages of the process could not be moved.");

  // The machine and this process.
  module.def(
      "allowed_nodes", &allowed_nodes,
      "Nodes with memory that the cpuset of this thread allows; None where a sandbox hides it.");
  module.def("memory_blocks", &memory_blocks, "folder"_a,
             "Bytes in a block of memory, and the node of each, negative where it is not known.");
  module.def("shows_frame_numbers", &shows_frame_numbers,
             "Whether this process is told the numbers of page frames.");
  module.def("is_own", &movepages::is_own, "pid"_a,
             "Whether this process, or a thread of it, has this number.");
  module.def("read_file", &read_file, "path"_a, "All that a file holds; OSError if it says no.");

  BlockType<Heap>::add(module, "Heap",
                       "Heap(mode, nodes, huge_from): numpy allocates by a policy within.");
  BlockType<Setting>::add(module, "Setting",
                          "Setting(variable, value): a context variable has a value within.");
}
