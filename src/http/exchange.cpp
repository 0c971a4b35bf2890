#include "http/exchange.hpp"

#include <array>
#include <string>

#include "http/limits.hpp"

namespace tollgate::http {

Cancellation::Guard::Guard(Cancellation& cancellation, Hook hook)
    : cancellation_(cancellation), previous_(cancellation.hook_) {
  cancellation_.hook_ = hook;
  if (cancellation_.cause_ != nullptr && hook.run != nullptr) hook.run(hook.context, *cancellation_.cause_);
}

Cancellation::Guard::~Guard() {
  cancellation_.hook_ = previous_;
}

void Cancellation::cancel(const Reason& cause) {
  if (cause_ != nullptr) return;
  cause_ = &cause;
  if (hook_.run != nullptr) hook_.run(hook_.context, cause);
}

Task<ResponseWriter::Result> send_error(Exchange& exchange, const Reason& reason, std::string_view detail,
                                        std::span<const Field> fields) {
  constexpr std::size_t fields_max = 8;
  std::array<Field, fields_max + 2> all;
  std::size_t count = 0;
  all[count++] = {"Content-Type", "text/plain; charset=utf-8"};
  all[count++] = {"x-tollgate-error", reason.word};
  for (const Field& field : fields) {
    if (count < all.size()) all[count++] = field;
  }
  std::string body(reason.text);
  if (!detail.empty()) body.append(" ").append(detail);
  body.append("\n");
  const ResponseHead head{reason.status, std::span(all.data(), count)};
  co_return co_await exchange.response.send(head, body);
}

}  // namespace tollgate::http
