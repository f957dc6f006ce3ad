#include "model_kernel.hpp"

#include <algorithm>
#include <functional>
#include <thread>

#include "check.hpp"

namespace model {

struct Kernel::Call {
  std::size_t count;
  const std::uintptr_t* pages;
  const std::int32_t* nodes;
  std::int32_t* status;
  bool all;
};

struct Kernel::Batch {
  std::size_t start = 0;
  std::int32_t node = -1;
  std::vector<std::size_t> folios;
};

std::uintptr_t Kernel::add(const Folio& folio) {
  const std::size_t first = pages_.size();
  folios_.push_back(folio);
  folios_.back().first = first;
  pages_.insert(pages_.end(), folio.size, Page{folios_.size() - 1, 0, false});
  return (first + 1) * kPageBytes;
}

std::uintptr_t Kernel::add_huge(Folio folio) {
  while ((pages_.size() + 1) % kHugePagePages != 0) add_error(-EFAULT);
  folio.size = kHugePagePages;
  return add(folio);
}

bool Kernel::is_huge(std::uintptr_t address) const {
  const std::size_t first = address / kPageBytes / kHugePagePages * kHugePagePages;
  if (first == 0 || first - 1 >= pages_.size()) return false;
  const Page& page = pages_[first - 1];
  const Folio& folio = folios_[page.folio];
  return page.error == 0 && folio.first == first - 1 && folio.size == kHugePagePages;
}

std::uintptr_t Kernel::add_error(std::int32_t error) {
  pages_.push_back({0, error, false});
  return pages_.size() * kPageBytes;
}

std::int32_t Kernel::truth(std::uintptr_t address) const {
  const std::size_t index = index_of(address);
  if (index >= pages_.size()) return -EFAULT;
  const Page& page = pages_[index];
  return page.error != 0 ? page.error : folios_[page.folio].node;
}

std::int32_t Kernel::stat(std::uintptr_t address) const {
  const std::int32_t node = truth(address);
  if (node < 0) return node;
  const Page& page = pages_[index_of(address)];
  return page.hinting || folios_[page.folio].migrating ? -ENOENT : node;
}

void Kernel::hide(std::uintptr_t address, int times) {
  page(address).hinting = version.hides_pages;
  page(address).hidings = version.hides_pages ? times - 1 : 0;
  hinting_.push_back(index_of(address));
}

std::int32_t Kernel::reveal(std::uintptr_t address, std::int32_t status) {
  if (status != -ENOENT || truth(address) < 0) return status;
  page(address).hinting = false;
  return truth(address);
}

void Kernel::watch(const std::vector<std::uintptr_t>& pages) {
  watched_ = pages.data();
  entries.assign(pages.size(), {});
}

void Kernel::set_fate(const Call& call, std::size_t i, Entry to) {
  const std::less<const std::uintptr_t*> before;
  const std::uintptr_t* place = call.pages + i;
  if (before(place, watched_) || !before(place, watched_ + entries.size())) return;
  Entry& entry = entries[static_cast<std::size_t>(place - watched_)];
  if (to.fate != Fate::kUntried && to.fate <= Fate::kRefused && entry.fate != Fate::kUntried)
    ++retried;
  entry = to;
}

bool Kernel::allowed_nodes(movepages::NodeMask& mask) const {
  for (std::size_t node = 0; node < kNodes; ++node) {
    if (has_memory[node] && in_cpuset[node]) mask.words[0] |= 1UL << node;
  }
  return nodes_known;
}

long Kernel::move_pages(int whose, std::size_t count, const std::uintptr_t* pages,
                        const std::int32_t* nodes, std::int32_t* status, int flags) {
  ++calls;
  CHECK(calls <= call_limit);
  CHECK(whose == pid);
  CHECK(count <= INT_MAX);
  const std::int64_t waited = nodes != nullptr ? call_ns + noise() : 0;
  waited_ns += waited;
  clock_ns += nodes != nullptr ? waited : query_ns;
  // By turns of its own for each thread: EINTR does not come to one thread alone.
  thread_local long mine = 0;
  if (eintr_every != 0 && (threaded ? ++mine : calls) % eintr_every == 0) return -EINTR;
  const long ret = answer(count, pages, nodes, status, flags);
  if (ret < 0) {
    error = ret;
    errors.insert(ret);
  }
  if (ret == -ENOMEM) no_memory = true;
  return ret;
}

std::int64_t Kernel::noise() {
  if (noise_percent == 0) return 0;
  random_ = random_ * 1'664'525 + 1'013'904'223;
  const auto percent = static_cast<std::int64_t>(random_ >> 16) % (2 * noise_percent + 1);
  return call_ns * (percent - noise_percent) / 100;
}

long Kernel::answer(std::size_t count, const std::uintptr_t* pages, const std::int32_t* nodes,
                    std::int32_t* status, int flags) {
  if (flags & ~(kMove | kMoveAll)) return -EINVAL;
  if ((flags & kMoveAll) && !privileged) return -EPERM;
  if (nodes == nullptr && query_fails_from != LONG_MAX && --query_fails_from <= 0) {
    fails_from = calls;
  }
  if (calls >= fails_from && calls - fails_from < fails_for) {
    lost = true;
    return fails_with;
  }
  if (nodes != nullptr) {
    ++moving_calls;
    for (long& pages : free) pages += freed_per_call;
    for (const std::size_t index : hinting_) {
      Page& page = pages_[index];
      if (!page.hinting && page.hidings > 0) page.hinting = page.hidings-- > 0;
    }
    return do_pages_move({count, pages, nodes, status, (flags & kMoveAll) != 0});
  }
  for (const std::uintptr_t address : vanishing) page(address).error = version.absent;
  vanishing.clear();
  looked_at += static_cast<long>(count);
  for (std::size_t i = 0; i < count; ++i) status[i] = stat(pages[i]);
  return 0;
}

long Kernel::do_pages_move(const Call& call) {
  Batch batch;
  std::size_t i = 0;
  long err = 0;
  for (; i < call.count; ++i) {
    const std::int32_t node = call.nodes[i];
    waited_ns += page_ns * kept_waiting_percent / 100;
    clock_ns += page_ns + (call.pages[i] >= slow_from ? slow_ns : 0);
    ++looked_at;
    err = refused_node(node);
    if (err != 0) break;
    if (batch.node < 0) {
      batch.node = node;
      batch.start = i;
    } else if (node != batch.node) {
      err = flush(call, batch, i);
      if (err != 0) return err;
      batch.node = node;
      batch.start = i;
    }
    err = queue(call, i, batch);
    if (err > 0) continue;
    const auto refusal = static_cast<std::int32_t>(err);
    set_fate(call, i, {err == 0 ? Fate::kThere : Fate::kRefused, refusal});
    call.status[i] = err == 0 ? node : refusal;
    err = flush(call, batch, i);
    if (err != 0 && refusal == -EBUSY) set_fate(call, i, {});
    if (err != 0) return err > 0 ? err - 1 : err;
    batch.node = -1;
  }
  const std::size_t start = batch.start;
  const long last = flush(call, batch, i);
  if (err >= 0) return last;
  if (last != 0) {
    for (std::size_t k = start; k < i; ++k) set_fate(call, k, {Fate::kHidden});
  }
  return err;
}

long Kernel::refused_node(std::int32_t node) const {
  if (node < 0 || node >= kNodes || !has_memory[node]) return -ENODEV;
  return in_cpuset[node] ? 0 : -EACCES;
}

// add_folio_for_migration(): 1 if queued, 0 if already there, or the errno for the status.
long Kernel::queue(const Call& call, std::size_t i, Batch& batch) {
  const std::int32_t where = stat(call.pages[i]);
  if (where < 0) return where;
  if (where == batch.node) return 0;
  const std::size_t index = index_of(call.pages[i]);
  const Page& page = pages_[index];
  Folio& folio = folios_[page.folio];
  if (page.shared && !call.all) return -EACCES;
  if (folio.hugetlb && index != folio.first && version.hugetlb_tail_refused) return -EACCES;
  if (!folio.isolable || folio.isolated) return -EBUSY;
  folio.isolated = true;
  batch.folios.push_back(page.folio);
  set_fate(call, i, {Fate::kQueued});
  return 1;
}

// move_pages_and_store_status()
long Kernel::flush(const Call& call, Batch& batch, std::size_t end) {
  if (batch.folios.empty()) return 0;
  let_others_in(batch);
  const long err = migrate(batch);
  for (const std::size_t id : batch.folios) folios_[id].isolated = false;
  batch.folios.clear();
  const Fate fate = err == 0 ? Fate::kMoved : err > 0 ? Fate::kFailed : Fate::kNoMemory;
  for (std::size_t k = batch.start; k < end; ++k) set_fate(call, k, {fate});
  if (err > 0) return err + static_cast<long>(call.count - end);
  if (err == 0) std::fill(call.status + batch.start, call.status + end, batch.node);
  return err;
}

// Folios wait for their migration without a lock.
void Kernel::let_others_in(const Batch& batch) {
  if (!threaded) return;
  for (const std::size_t id : batch.folios) folios_[id].migrating = true;
  turn.unlock();
  std::this_thread::yield();
  turn.lock();
  for (const std::size_t id : batch.folios) folios_[id].migrating = false;
}

// migrate_pages(): the number of failed folios, or -ENOMEM, which leaves later folios untried.
long Kernel::migrate(const Batch& batch) {
  std::vector<std::size_t> pieces;
  long failed = 0;
  bool left = false;
  for (const std::size_t id : batch.folios) {
    if (folios_[id].failures > 0) {
      folios_[id].troubled = true;
      if (folios_[id].failures != kPinned) --folios_[id].failures;
      ++failed;
      left = true;
    } else if (!migrate_one(folios_[id], batch.node)) {
      if (folios_[id].size == 1 || folios_[id].hugetlb || !version.splits_when_full) return -ENOMEM;
      split(id, pieces);
      ++failed;
    }
  }
  // The huge page already counts as one failure, so its pieces are not counted again.
  for (const std::size_t id : pieces) left = !migrate_one(folios_[id], batch.node) || left;
  return left ? failed : 0;
}

bool Kernel::migrate_one(Folio& folio, std::int32_t node) {
  const auto size = static_cast<long>(folio.size);
  if (free[node] < size) return false;
  free[node] -= size;
  free[folio.node] += size;
  folio.node = node;
  ++folio.moves;
  return true;
}

void Kernel::split(std::size_t id, std::vector<std::size_t>& pieces) {
  const Folio whole = folios_[id];
  folios_[id].size = 1;
  pieces.push_back(id);
  for (std::size_t k = 1; k < whole.size; ++k) {
    pages_[whole.first + k].folio = folios_.size();
    pieces.push_back(folios_.size());
    folios_.push_back({whole.node, whole.first + k});
    folios_.back().moves = whole.moves;
  }
}

}  // namespace model
