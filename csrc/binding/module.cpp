// The functions of movepages._core. Any file that includes pybind11 takes at least four seconds to
// compile, so the binding is this file and headers that nothing else includes.
#include <cstring>
#include <exception>
#include <stdexcept>

#include "binding/arrays.hpp"
#include "binding/bandwidth.hpp"
#include "binding/block_type.hpp"
#include "binding/dlpack.hpp"
#include "binding/engine.hpp"
#include "binding/heap_type.hpp"
#include "binding/machine.hpp"
#include "binding/move.hpp"
#include "binding/objects.hpp"
#include "binding/policies.hpp"
#include "binding/policy_type.hpp"
#include "binding/populate.hpp"
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

// pybind11 throws a RuntimeError when it has no memory for a bytes, list, tuple or str.
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
             "pause"_a, "threads"_a = 1,
             "Query or move pages. Return None; (errno, index of the refused node or -1); or, if "
             "interrupted, (exception, number of pages after which none was attempted).");
  module.def("query_few", &query_few, "pages"_a, "status"_a,
             "Return the statuses of a few pages if all are on nodes, or None.");
  module.def("untold", &untold, "count"_a,
             "Return statuses that read as NOT_ATTEMPTED; None if the kernel refuses the memory.");
  module.def("sort_out", &sort_out, "pages"_a, "before"_a, "wanted"_a,
             "Return status and whether as wanted; and index, address and node of pages to move.");
  module.def("mempolicy_nodes", &mempolicy_nodes, "pages"_a,
             "Return the node of each page by get_mempolicy(2), or -errno. Fault in absent pages.");

  // Queries of ranges and arrays.
  module.def(
      "survey", &survey_ranges, "starts"_a, "pages"_a, "pid"_a, "flags"_a, "threads"_a, "fewest"_a,
      "by_number"_a, "ask_small"_a, "in_huge_pages"_a, "pause"_a,
      "Return a failure as move_pages() does, and starts, pages, statuses and kinds of runs.");
  module.def(
      "presence", &presence_in, "starts"_a, "ends"_a, "pid"_a,
      "Return starts, ends and kinds of the stretches in ranges; None if these are unknown.");
  module.def(
      "scan_huge", &huge_ranges, "start"_a, "end"_a, "pid"_a,
      "Return starts and ends of what huge pages map in a range; None if these are unknown.");
  module.def("huge_ranges_by_count", &huge_ranges_by_count, "path"_a, "first"_a, "last"_a, "most"_a,
             "Return starts and ends of the parts of a range whose memory certainly consists of "
             "huge pages, by the counts of an smaps file; None if these are unknown.");
  module.def("reach", &reach_of, "start"_a, "end"_a, "most"_a, "pid"_a,
             "Return the end of the range that holds at most `most` pages; None if it is unknown.");
  module.def(
      "all_on_node", &all_on_node, "array"_a, "node"_a,
      "Return first page and number of pages of a small array if it is all on a node, or None.");
  module.def(
      "small_on_one_node", &small_on_one_node, "array"_a,
      "Return address, number of pages, the run of these as a record and bytes in huge pages "
      "of a small array if it is all on one node, or None.");
  module.def("buffer_address", &buffer_address, "view"_a,
             "Return the address of a buffer's first element.");
  module.def("contiguous_arrays", &contiguous_arrays, "sequence"_a,
             "Return addresses and lengths in bytes of the arrays in a list or tuple, and indices "
             "of those with several axes; None if not all are contiguous arrays.");
  module.def("dlpack_memory", &dlpack_memory, "capsule"_a,
             "Consume a DLPack capsule. Return address, shape, strides in bytes, itemsize, owner, "
             "device type, device number, and whether it is a copy.");
  module.def("object_blocks", &object_blocks, "objects"_a,
             "Return address and length in bytes of the objects of a list; the length is 0 for "
             "small numbers, single characters and other objects that all of Python shares.");

  // Policies and advice.
  module.def("bind", &bind, "start"_a, "nbytes"_a, "mode"_a, "nodes"_a, "flags"_a,
             "Call mbind(2) on a page-aligned range; return 0 or an errno.");
  module.def("set_policy", &set_policy, "mode"_a, "nodes"_a,
             "Call set_mempolicy(2) for this thread; return 0 or an errno.");
  module.def("policy", &policy, "address"_a,
             "Return errno, the policy's mode with its flags, and nodes.");
  module.def("advise", &advise_range, "start"_a, "nbytes"_a, "advice"_a, "part"_a,
             "Call madvise(2) part by part; return errno and the number of bytes advised.");
  module.def(
      "advise_each", &advise_each, "starts"_a, "nbytes"_a, "advice"_a, "pid"_a,
      "Call madvise(2) or process_madvise(2) on several ranges; return the errno of each, or 0.");
  module.def("populate", &populate_shares, "shares"_a, "pause"_a,
             "Allocate pages on nodes. Each share is (nodes, reserves, starts, nbytes, cpus, "
             "threads). Return None; (errno, node or -1, whether it is full); or, if interrupted, "
             "the exception.");
  module.def("node_room", &node_room, "node"_a,
             "Return the bytes that a node can still give, or None if they are unknown.");
  module.def("resident", &resident, "start"_a, "nbytes"_a,
             "Call mincore(2); return errno, and starts and ends of stretches of resident pages.");
  module.def("tells_what_is_in_memory", &movepages::tells_what_is_in_memory, "start"_a,
             "Return whether resident() is certainly accurate for the shared mapping at `start`.");
  module.def("migrate_process", &migrate_process, "pid"_a, "from_nodes"_a, "to_nodes"_a,
             "Call migrate_pages(2); return errno and how many pages could not be moved.");

  // Measurements.
  module.def(
      "traffic", &traffic, "kind"_a, "parts"_a, "seconds"_a, "pause"_a,
      "Time rounds in which a thread on each CPU reads, writes or copies its part; each part "
      "is (memory, source or None, cpu). Return errno, index of the part, seconds of the "
      "fastest round, number of rounds, and the sum of the words of each part; or, if "
      "interrupted, the exception.");
  module.def("chase", &chase, "memory"_a, "line"_a, "cpus"_a, "seconds"_a, "seed"_a, "pause"_a,
             "Link cache lines into a random cycle that each CPU follows in turn. Return errno, "
             "index of the CPU, and (nanoseconds a load, loads, address of the last line) of each; "
             "or, if interrupted, the exception.");

  // The machine and this process.
  module.def("allowed_nodes", &allowed_nodes,
             "Return the nodes with memory in this thread's cpuset; None if a sandbox hides them.");
  module.def("shows_frame_numbers", &movepages::shows_frame_numbers,
             "Return whether this process can read page frame numbers.");
  module.def("probe", &probe_calls, "Return the errno of each system call, made once.");
  module.def("current_cpu", &current_cpu, "Return the CPU that this thread runs on.");
  module.def("engine", &engine_name, "Return the name of the engine in use.");
  module.def("use_engine", &use_engine_named, "name"_a,
             "Use the engine with this name from now on; None chooses anew.");
  module.def("is_own", &movepages::is_own, "pid"_a,
             "Return whether `pid` is this process or one of its threads.");
  module.def("read_file", &read_file, "path"_a,
             "Return the content of a file; raise OSError on failure.");

  BlockType<FirstTouch>::add(
      module, "FirstTouch",
      "FirstTouch(mode, nodes, failed): this thread has a memory policy inside this block.");
  BlockType<Heap>::add(
      module, "Heap",
      "Heap(mode, nodes, huge_from): numpy allocates by a policy inside this block.");
  BlockType<Setting>::add(
      module, "Setting",
      "Setting(variable, value): a context variable has this value inside this block.");
}
