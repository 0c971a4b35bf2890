#include "gateway/process/siblings.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/process/ipc.hpp"

namespace tollgate::gateway {
namespace {

// What a packet says beside its descriptor: nothing, but an empty one would be a hang-up.
constexpr std::string_view content = "c";

constexpr int taken_in_turn_max = 64;

}  // namespace

std::optional<unsigned> sibling_with_fewer(const CrewLoad& load, unsigned workers, unsigned self,
                                           std::uint64_t open) {
  std::optional<unsigned> fewest;
  std::uint64_t least = open;
  for (unsigned i = 0; i < std::min(workers, siblings_max); ++i) {
    const std::int32_t has = load.workers[i].connections.load(std::memory_order_relaxed);
    if (i == self || has < 0 || std::cmp_greater_equal(has, least)) continue;
    fewest = i;
    least = static_cast<std::uint64_t>(has);
  }
  return fewest && open > least + least / 8 ? fewest : std::nullopt;
}

std::shared_ptr<SiblingLinks> SiblingLinks::create(unsigned workers) {
  if (workers < 2 || workers > siblings_max) return nullptr;
  auto file = SharedFile::create("tollgate-crew", sizeof(CrewLoad));
  if (!file) return nullptr;
  auto load = SharedMapping::map(file->fd(), file->bytes(), MapAccess::read_write);
  if (!load) return nullptr;
  const std::shared_ptr<SiblingLinks> links(new SiblingLinks(std::move(*file), std::move(*load)));
  for (unsigned index = 0; index < workers; ++index) {
    auto pair = make_channel_pair();
    if (!pair) return nullptr;
    links->inboxes_.push_back({std::move(pair->ours), std::move(pair->theirs)});
    links->gone(index);
  }
  return links;
}

std::vector<int> SiblingLinks::of_worker(unsigned index) const {
  std::vector<int> ends{file_.fd(), inboxes_.at(index).read.get()};
  for (const Inbox& inbox : inboxes_) ends.push_back(inbox.write.get());
  return ends;
}

void SiblingLinks::gone(unsigned index) {
  auto& load = *static_cast<CrewLoad*>(load_.data());
  load.workers[index].connections.store(CrewLoad::takes_none, std::memory_order_relaxed);
}

expected<std::unique_ptr<Siblings>, std::string> Siblings::make(EventLoop& loop, unsigned self,
                                                                std::vector<UniqueFd> ends) {
  const std::size_t workers = ends.size() < 2 ? 0 : ends.size() - 2;
  if (self >= workers || workers > siblings_max)
    return unexpected(std::string("Start: not with what it takes to share with siblings"));
  auto load = SharedMapping::map(ends[0].get(), sizeof(CrewLoad), MapAccess::read_write);
  if (!load) return unexpected(load.error());
  UniqueFd inbox = std::move(ends[1]);
  ends.erase(ends.begin(), ends.begin() + 2);
  return std::make_unique<Siblings>(loop, self, std::move(*load), std::move(inbox), std::move(ends));
}

Siblings::Siblings(EventLoop& loop, unsigned self, SharedMapping load, UniqueFd inbox,
                   std::vector<UniqueFd> inboxes)
    : self_(self), load_(std::move(load)), inbox_(loop, inbox.release()), inboxes_(std::move(inboxes)) {}

void Siblings::join(http::Server& server) {
  server_ = &server;
  server.share_with(*this);
  wait();
}

void Siblings::leave() {
  left_ = true;
  load().workers[self_].connections.store(CrewLoad::takes_none, std::memory_order_relaxed);
}

void Siblings::tell_open(std::uint64_t open) {
  if (left_) return;
  load().workers[self_].connections.store(static_cast<std::int32_t>(open), std::memory_order_relaxed);
}

bool Siblings::give_away(int connected, std::uint64_t open) {
  if (left_) return false;
  const auto sibling = sibling_with_fewer(load(), static_cast<unsigned>(inboxes_.size()), self_, open);
  if (!sibling || !may_give_now()) return false;
  if (!announce(*sibling)) return false;
  const std::array<int, 1> descriptor{connected};
  return send_packet(inboxes_[*sibling].get(), content, descriptor) >= 0;
}

// Others count with it at once. The sibling says itself how many it has whenever that changes. False: it has
// left meanwhile.
bool Siblings::announce(unsigned sibling) {
  auto& connections = load().workers[sibling].connections;
  std::int32_t has = connections.load(std::memory_order_relaxed);
  while (has >= 0) {
    if (connections.compare_exchange_weak(has, has + 1, std::memory_order_relaxed)) return true;
  }
  return false;
}

// A bucket of give_burst, into which another one falls each give_interval.
bool Siblings::may_give_now() {
  const SteadyTime now = std::chrono::steady_clock::now();
  next_due_ = std::max(next_due_, now - give_burst * give_interval);
  if (next_due_ > now) return false;
  next_due_ += give_interval;
  return true;
}

void Siblings::wait() {
  inbox_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& error) {
    if (error) return;
    take_rest();
    wait();
  });
}

bool Siblings::take_rest() {
  bool any = false;
  for (int i = 0; i < taken_in_turn_max; ++i) {
    Packet packet;
    std::array<char, 16> room;
    if (receive_packet(inbox_.native_handle(), room, packet) <= 0 && packet.fds.empty()) break;
    for (UniqueFd& connected : packet.fds) any = server_->adopt_given(std::move(connected)) || any;
  }
  return any;
}

}  // namespace tollgate::gateway
