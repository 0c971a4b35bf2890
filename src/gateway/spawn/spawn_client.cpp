#include "gateway/spawn/spawn_client.hpp"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cerrno>
#include <span>
#include <utility>

namespace tollgate::gateway {

void SpawnClient::connect(UniqueFd socket) {
  if (channel_) channel_->close();
  all_gone();
  channel_ = std::make_shared<Channel>(loop_, std::move(socket));
  asio::co_spawn(loop_, listen(channel_), asio::detached);
  for (Run& run : waiting_) run.wakeup_.notify_later();
}

Task<> SpawnClient::listen(std::shared_ptr<Channel> channel) {
  for (;;) {
    const auto packet = co_await channel->receive();
    if (!packet) break;
    const auto message = decode(packet->bytes);
    const auto* ended = message ? std::get_if<ProgramEnded>(&*message) : nullptr;
    if (ended == nullptr) continue;
    const auto found = runs_.find(ended->id);
    if (found == runs_.end()) continue;
    Run& run = *found->second;
    runs_.erase(found);
    run.report_ = *ended;
    run.over_ = true;
    run.wakeup_.notify();  // whoever waits may destroy the run
  }
  if (channel != channel_) co_return;  // replaced meanwhile
  channel_.reset();
  all_gone();
}

void SpawnClient::all_gone() {
  for (auto& [id, run] : std::exchange(runs_, {})) {
    run->report_.start_error = EPIPE;
    run->over_ = true;
    run->wakeup_.notify_later();
  }
}

Task<> SpawnClient::send(std::shared_ptr<Channel> channel, std::string bytes) {
  co_await channel->send(bytes);
}

SpawnClient::Run::Run(SpawnClient& client)
    : client_(client), id_(++client.last_id_), wakeup_(client.loop_.get_executor()) {}

SpawnClient::Run::~Run() {
  end();
  client_.runs_.erase(id_);
}

Task<> SpawnClient::Run::spawner_connected() {
  client_.waiting_.push_back(*this);
  while (!has_spawner() && !given_up_) {
    if (!wakeup_.take()) co_await wakeup_.wait();
  }
  unlink();
}

Task<expected<void, std::string>> SpawnClient::Run::start(StartProgram start, Files files) {
  start.id = id_;
  const auto bytes = encode(start);
  if (!bytes) co_return unexpected(bytes.error());
  const auto channel = client_.channel_;
  if (!channel) co_return unexpected(std::string("the spawner has ended"));
  client_.runs_.emplace(id_, this);
  asked_ = true;
  const std::array<int, 4> fds{files.in, files.out, files.err, files.module};
  const auto given = std::span(fds).first(files.module >= 0 ? 4 : 3);
  const auto sent = co_await channel->send(*bytes, given);
  if (sent) co_return expected<void, std::string>{};
  client_.runs_.erase(id_);
  over_ = true;
  co_return unexpected("the spawner cannot be reached: " + sent.error().detail);
}

void SpawnClient::Run::end() {
  given_up_ = true;
  if (is_linked()) wakeup_.notify_later();
  if (!asked_ || over_ || !client_.channel_) return;
  asio::co_spawn(client_.loop_, client_.send(client_.channel_, *encode(EndProgram{id_})), asio::detached);
}

Task<> SpawnClient::Run::ended() {
  while (!over_) {
    if (!wakeup_.take()) co_await wakeup_.wait();
  }
}

}  // namespace tollgate::gateway
