// One run of the driver. driver.cpp goes through the list, parts.cpp divides it among threads,
// chunk.cpp moves a chunk of it, and recheck.cpp asks again about pages with a missing or
// unreliable status.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>

#include "driver/huge.hpp"
#include "driver/migrate.hpp"
#include "driver/pace.hpp"
#include "driver/query.hpp"

namespace movepages {

class Driver {
 public:
  Driver(const Request& request, const Pause& pause, const Kernel& kernel) noexcept
      : request_(request),
        pause_(pause),
        kernel_(kernel),
        query_(request.pid, request.flags, kernel, request.target != nullptr),
        huge_(request.pid, kernel) {}

  Outcome run() noexcept;

 private:
  // The statuses that are queried again.
  enum class Doubt {
    kMissing,    // no status, or a failure that another entry for the same folio may have fixed
    kFailures,   // every failure: another thread may have had the folio in hand
    kEveryPage,  // every status: with several targets, another entry may have undone a success
  };

  struct Span {
    std::size_t entries;
    std::size_t huge_pages;
  };

  std::int32_t wanted(std::size_t i) const noexcept {
    return request_.target->each ? request_.target->each[i] : request_.target->all;
  }
  void attempt() noexcept;
  void prefill(std::size_t end) noexcept;
  bool pause_wanted(std::int64_t now) noexcept;
  void query_all() noexcept;
  std::size_t query_in_portions(const std::uintptr_t* pages, std::size_t count,
                                std::int32_t* status, bool before) noexcept;
  std::size_t start_of_last_target() const noexcept;
  bool nodes_are_usable() noexcept;
  long refusal_of(std::int32_t node) const noexcept;
  bool prepare_nodes() noexcept;
  void move_all() noexcept;

  struct Part;
  bool move_by_threads() noexcept;
  bool divide(std::deque<Part>* parts, const Pause& pause);
  bool end_in_child(bool interrupted) noexcept;
  std::size_t border_from(std::size_t i) const noexcept;
  void take(const Part& part) noexcept;

  Span span_of(std::size_t start, std::size_t most, std::size_t most_huge_pages) const noexcept;

  std::size_t move_chunk(std::size_t most, std::size_t most_huge) noexcept;
  bool move_each(std::size_t count) noexcept;
  bool move_heads(const RunGroup& group) noexcept;
  bool move_pieces(std::size_t begin, std::size_t end) noexcept;
  Outcome run_within(const std::uintptr_t* pages, std::size_t count, const Target& target,
                     std::int32_t* status, bool last_turn) noexcept;
  bool goes_on_after(long error) noexcept;
  std::size_t end_of_failed_batch(std::size_t start, std::size_t end) const noexcept;

  bool in_doubt(std::int32_t status) const noexcept;
  bool recheck(std::size_t begin, std::size_t end, Doubt doubt, std::int32_t fallback) noexcept;
  void forget(std::size_t begin, std::size_t end, Doubt doubt) noexcept;
  long move_revealed(const std::size_t* index, const std::uintptr_t* pages, std::int32_t* now,
                     std::size_t count) noexcept;
  void set_status(std::size_t i, std::int32_t now, std::int32_t fallback) noexcept;
  long ask_why(const std::size_t* index, const std::uintptr_t* pages, std::size_t count) noexcept;

  const Request& request_;
  const Pause pause_;
  const Kernel& kernel_;
  Query query_;
  HugePages huge_;
  Outcome outcome_;
  std::unique_ptr<std::int32_t[]> same_node_;
  std::size_t done_ = 0;
  std::size_t asked_ = 0;  // a query may have written statuses up to here
  std::size_t told_ = 0;   // number of statuses written; no page after them was attempted
  std::size_t calls_ = 0;
  std::int64_t last_pause_ns_ = 0;
  bool mixed_ = false;
  bool ran_within_ = false;
  bool last_turn_ = false;
};

}  // namespace movepages
