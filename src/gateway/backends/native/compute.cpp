#include "gateway/backends/native/compute.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <charconv>

#include "gateway/backends/native/content_type.hpp"
#include "gateway/reasons.hpp"
#include "sandbox/sha256.hpp"

namespace tollgate::gateway {
namespace {

constexpr std::uint64_t rounds_per_slice = 2'000;  // 0.15 to 0.5 ms
constexpr std::string_view iters_sentence = "iters must be a number from 0 to 10000000.";
static_assert(ComputeBackend::rounds_max == 10'000'000, "the sentence says so");

}  // namespace

std::optional<std::uint64_t> rounds_of(std::string_view query) {
  constexpr std::string_view name = "iters=";
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    if (!pair.starts_with(name)) continue;
    const std::string_view digits = pair.substr(name.size());
    std::uint64_t rounds = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), rounds);
    const bool is_number = error == std::errc() && stop == digits.data() + digits.size();
    if (!is_number || rounds > ComputeBackend::rounds_max) return std::nullopt;
    return rounds;
  }
  return ComputeBackend::rounds_default;
}

void run_rounds(Digest& digest, std::uint64_t begin, std::uint64_t end) {
  std::array<std::uint8_t, std::tuple_size_v<Digest> + sizeof(std::uint64_t)> input;
  for (std::uint64_t round = begin; round < end; ++round) {
    std::copy(digest.begin(), digest.end(), input.begin());
    for (std::size_t i = 0; i < sizeof(round); ++i) {
      input[digest.size() + i] = static_cast<std::uint8_t>(round >> (8 * i));
    }
    digest = sha256(input);
  }
}

ComputeBackend::ComputeBackend(const Route& route, Executor executor)
    : fields_(content_type(route, text_plain)), executor_(executor) {}

Task<> ComputeBackend::serve(RequestContext& context) {
  const std::optional<std::uint64_t> rounds = rounds_of(context.exchange.request.query);
  if (!rounds) {
    context.reason = &reasons::bad_parameter;
    context.detail = iters_sentence;
    co_return;
  }
  Digest digest{};
  std::uint64_t done = 0;
  while (true) {
    const std::uint64_t end = std::min(done + rounds_per_slice, *rounds);
    run_rounds(digest, done, end);
    done = end;
    if (done == *rounds) break;
    co_await asio::post(executor_, use_task);
    if (context.exchange.cancellation.cause() != nullptr) co_return;
  }
  const std::string body = sandbox::to_hex(digest);
  const http::ResponseHead head{200, fields_};
  const auto sent = co_await context.exchange.response.send(head, body);
  if (!sent) context.reason = sent.error();
}

}  // namespace tollgate::gateway
