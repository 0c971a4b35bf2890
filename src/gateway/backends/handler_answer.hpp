// What every handler that is given a request and gives back bytes has in common, be it a sandbox or a
// program.
#pragma once

#include <optional>

#include "gateway/backend.hpp"
#include "gateway/config/config.hpp"
#include "gateway/guests/guest_buffers.hpp"

namespace tollgate::gateway {

// The request as the handler's environment tells it. Views into `context`.
abi::CgiFacts cgi_facts(const RequestContext& context, std::uint64_t body_bytes);

// A response as the handler gave it. Views into the buffers it was read from.
struct HandlerAnswer {
  http::ResponseHead head;
  std::string_view body;
};

// Reads buffers.output by `abi`. nullopt: that is no response, and context.reason and detail tell why.
std::optional<HandlerAnswer> read_answer(RequestContext& context, Abi abi, GuestBuffers& buffers);

// True: sent, or failed with context.reason. False: send_answer() must do the rest.
[[nodiscard]] bool try_send_answer(RequestContext& context, const HandlerAnswer& answer);
Task<> send_answer(RequestContext& context, HandlerAnswer answer);

}  // namespace tollgate::gateway
