// Sorts unordered lists by address. The kernel walks the page tables anew for each page, which
// takes several times as long if neighbours in the list are far apart in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace movepages {

class AddressOrder {
 public:
  // The limits of how many entries are sorted at once. With more entries, sorted neighbours are
  // closer together.
  static constexpr std::size_t kMost = std::size_t{1} << 18;
  static constexpr std::size_t kFewest = std::size_t{1} << 12;

  explicit AddressOrder(std::size_t page_bytes) noexcept : page_bytes_(page_bytes) {}

  // Whether querying the pages in address order is worth the sorting.
  bool pays(const std::uintptr_t* pages, std::size_t count) const noexcept;
  // Sorts at most kMost pages; false if there is no memory for it, or if an address is not a
  // user-space address.
  bool sort(const std::uintptr_t* pages, std::size_t count) noexcept;
  // After sort(): the pages in address order, each by its first address, and room for their
  // statuses.
  const std::uintptr_t* pages() const noexcept { return pages_.get(); }
  std::int32_t* status() noexcept { return status_.get(); }
  // Copies the first `count` statuses to the places of their pages in the list.
  void give(std::size_t count, std::int32_t* status) const noexcept;

 private:
  bool make_room(std::size_t count) noexcept;

  const std::size_t page_bytes_;
  std::size_t room_ = 0;
  std::unique_ptr<std::uint64_t[]> keys_;
  std::unique_ptr<std::uint64_t[]> other_;
  std::unique_ptr<std::uintptr_t[]> pages_;
  std::unique_ptr<std::int32_t[]> status_;
};

}  // namespace movepages
