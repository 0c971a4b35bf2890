// Bounds of the client side: what an upstream may make a worker hold or wait for.
#pragma once

#include <chrono>
#include <cstddef>

namespace tollgate::http::client_limits {

// The same bounds that requests have (64 KiB, 100 lines): a response that is passed on must be one that other
// hops would take as well.
inline constexpr std::size_t head_bytes_max = 64 << 10;
inline constexpr std::size_t head_fields_max = 100;

// Bytes of framing (chunk sizes, extensions, trailers) between two pieces of body: enough for any trailer
// section that is sent in practice, and an upstream that sends nothing but framing is cut off.
inline constexpr std::size_t chunk_framing_bytes_max = 16 << 10;

// Interim responses before the final one. One 100 and a few 103 are usual; more is a flood.
inline constexpr int interim_responses_max = 8;

// One receive. A small answer fits with its head; once a body turns out to be longer, fewer and larger reads
// are cheaper than the memory they need.
inline constexpr std::size_t receive_bytes = 16 << 10;
inline constexpr std::size_t receive_bytes_streaming = 64 << 10;

// Idle connections kept per upstream and worker. Most servers close idle connections after 60 s or more (Node
// after 5 s), so that leaving first, at 4 s, is what avoids most races between their close and our next
// request.
inline constexpr std::size_t idle_connections_max = 256;
inline constexpr std::chrono::milliseconds idle_max{4000};

}  // namespace tollgate::http::client_limits
