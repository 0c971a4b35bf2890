// What every handler that is given a request and gives back bytes has in common, be it a sandbox or a program.
#pragma once

#include "gateway/backend.hpp"
#include "gateway/config/config.hpp"
#include "gateway/guests/guest_buffers.hpp"

namespace tollgate::gateway {

// The request as the handler's environment tells it. Views into `context`.
abi::CgiFacts cgi_facts(const RequestContext& context, std::uint64_t body_bytes);

// Sends buffers.output as the response, by `abi`. What is no CGI response becomes an answer that tells why.
Task<> send_answer(RequestContext& context, Abi abi, GuestBuffers& buffers);

}  // namespace tollgate::gateway
