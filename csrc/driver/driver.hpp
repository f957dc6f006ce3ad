// One run of the driver. driver.cpp takes it through the pages; recheck.cpp finds out what became
// of those whose status is missing or may not be believed.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
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
  // Which statuses are asked for once more.
  enum class Doubt {
    kMissing,    // none yet, or a failure that another entry for the same folio may have mended
    kEveryPage,  // any: with several targets another entry can have spoilt a success too
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
  bool nodes_are_usable() noexcept;
  long refusal_of(std::int32_t node) const noexcept;
  bool prepare_nodes() noexcept;
  void move_all() noexcept;
  Span span_of(std::size_t start, std::size_t most, std::size_t most_huge_pages) const noexcept;
  std::size_t move_chunk(std::size_t most) noexcept;
  bool move_each(std::size_t count) noexcept;
  bool move_heads(const Stretch& stretch) noexcept;
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
  void settle(std::size_t i, std::int32_t now, std::int32_t fallback) noexcept;
  long ask_why(const std::size_t* index, const std::uintptr_t* pages, std::size_t count) noexcept;

  const Request& request_;
  const Pause pause_;
  const Kernel& kernel_;
  Query query_;
  HugePages huge_;
  Outcome outcome_;
  std::unique_ptr<std::int32_t[]> same_node_;
  std::size_t done_ = 0;
  std::size_t asked_ = 0;  // up to where a query may have written
  std::size_t told_ = 0;   // how many statuses are written; those behind them are all alike
  std::size_t calls_ = 0;
  std::int64_t last_pause_ns_ = 0;
  bool mixed_ = false;
  bool last_turn_ = false;
};

}  // namespace movepages
