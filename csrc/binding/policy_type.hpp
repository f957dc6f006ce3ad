// The memory policy of a thread, set within a `with` block.
#pragma once

#include <pybind11/pybind11.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "binding/arguments.hpp"
#include "kernel/policy.hpp"

namespace movepages::binding {

namespace py = pybind11;

// The blocks that a thread is in, outermost first. Generators and tasks may leave an outer block
// before an inner one: the inner one then puts back what the outer one would have.
class PolicyBlocks {
 public:
  struct Entry {
    ThreadPolicy before;
    std::atomic<bool> dropped{false};  // by another thread, which cannot put the policy back
  };

  static PolicyBlocks& of_this_thread() noexcept {
    thread_local PolicyBlocks blocks;
    return blocks;
  }

  // Returns 0 or -errno.
  long enter(const ThreadPolicy& policy, const std::shared_ptr<Entry>& entry) {
    entries_.push_back(entry);
    long ret = thread_policy(&entry->before);
    if (ret == 0) ret = set_thread_policy(policy);
    if (ret != 0) entries_.pop_back();
    return ret;
  }

  bool has(const std::shared_ptr<Entry>& entry) const noexcept {
    return std::find(entries_.begin(), entries_.end(), entry) != entries_.end();
  }

  // Returns 0 or -errno. The thread is in this block.
  long leave(const std::shared_ptr<Entry>& entry) noexcept {
    const auto place = std::find(entries_.begin(), entries_.end(), entry);
    const auto inner = place + 1;
    if (inner != entries_.end()) {
      (*inner)->before = entry->before;
      entries_.erase(place);
      return 0;
    }
    ThreadPolicy before = entry->before;
    entries_.pop_back();
    while (!entries_.empty() && entries_.back()->dropped) {
      before = entries_.back()->before;
      entries_.pop_back();
    }
    return set_thread_policy(before);
  }

 private:
  std::vector<std::shared_ptr<Entry>> entries_;
};

class FirstTouch {
 public:
  explicit FirstTouch(const py::args& args) {
    const auto [mode, nodes, failed] = args.cast<std::tuple<int, py::object, py::object>>();
    policy_.mode = mode;
    if (!to_mask(nodes, &policy_.nodes)) {
      throw py::value_error("nodes: expected ids below MAX_NODES");
    }
    failed_ = failed;
  }

  ~FirstTouch() {
    if (!entry_) return;
    PolicyBlocks& blocks = PolicyBlocks::of_this_thread();
    if (blocks.has(entry_)) {
      blocks.leave(entry_);
    } else {
      entry_->dropped = true;
    }
  }

  FirstTouch(const FirstTouch&) = delete;
  FirstTouch& operator=(const FirstTouch&) = delete;

  void enter() {
    if (used_) throw std::runtime_error("this first_touch() was entered before; make another one");
    const auto entry = std::make_shared<PolicyBlocks::Entry>();
    if (const long ret = PolicyBlocks::of_this_thread().enter(policy_, entry)) fail(ret);
    entry_ = entry;
    used_ = true;
  }

  bool leave() {
    if (!entry_) return true;
    PolicyBlocks& blocks = PolicyBlocks::of_this_thread();
    if (!blocks.has(entry_)) {
      throw std::runtime_error(
          "this first_touch() was entered in another thread, the only one that can leave it");
    }
    const auto entry = std::move(entry_);
    if (const long ret = blocks.leave(entry)) fail(ret);
    return true;
  }

 private:
  // Raises what the caller makes of an errno.
  [[noreturn]] void fail(long ret) const {
    const py::object error = failed_(-ret);
    if (!PyExceptionInstance_Check(error.ptr())) throw py::type_error("failed: made no exception");
    PyErr_SetObject(py::type::handle_of(error).ptr(), error.ptr());
    throw py::error_already_set();
  }

  ThreadPolicy policy_;
  py::object failed_;
  std::shared_ptr<PolicyBlocks::Entry> entry_;  // set only while entered
  bool used_ = false;
};

}  // namespace movepages::binding
