// Every bound of the server side of HTTP/1.1, each with the reason for its value. Durations are wall time on
// the steady clock with the timer wheel's resolution (10 ms).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tollgate::http {

using Duration = std::chrono::steady_clock::duration;

// What a request head (and the head's relatives inside a chunked body) may measure.
struct HeadLimits {
  // Request target as received; one more is 414.
  std::size_t target_bytes_max = 8u << 10;
  // Field lines with their CRLFs and the empty line; one more is 431.
  std::size_t section_bytes_max = 64u << 10;
  // Field lines; one more is 431.
  std::size_t fields_max = 100;
  // Names and values of trailers: a checksum and a status, not a document.
  std::size_t trailer_bytes_max = 8u << 10;
  std::size_t trailers_max = 32;
  // Chunk extensions of one message: nobody uses them, attackers do.
  std::size_t extension_bytes_max = 1u << 10;
  // One chunk-size line: 16 digits and what extension there may be.
  std::size_t chunk_line_bytes_max = 256;
};

struct ServerLimits {
  HeadLimits head;

  // Phases. Each has its own end: 408, 408, a quiet close, a cut connection, a close.
  Duration head_timeout = std::chrono::seconds(10);   // from a head's first byte (or the accept) to its last
  Duration body_timeout = std::chrono::seconds(10);   // between two pieces of a body
  Duration idle_timeout = std::chrono::seconds(60);   // between two requests of a connection
  Duration write_timeout = std::chrono::seconds(10);  // without the client taking a single byte
  // Reading on after a refusal, so that its answer arrives.
  Duration linger_timeout = std::chrono::seconds(1);

  // Of a body its handler left alone, read away to keep the connection.
  std::size_t unread_body_bytes_max = 64u << 10;
  // Read away after a refusal: what the kernels of both sides may hold of an upload (tcp_wmem and tcp_rmem
  // are 4 and 6 MiB) when its client learns of the answer, and more for what it sends until then. Closing
  // over unread bytes resets the connection, and the answer would be lost with it.
  std::size_t linger_bytes_max = 16u << 20;
  std::uint32_t connections_max = 10'000;  // open at once; beyond it the longest idle one goes, else 503

  // How long an idle connection stays open in a drain: a client that is about to use it gets its answer, and
  // is told to close. At once it would lose what crosses the closing.
  Duration drain_grace = std::chrono::milliseconds(200);

  // How many pipelined requests are answered before the other connections get a turn.
  std::uint32_t pipelined_turn_max = 16;
  std::uint32_t accept_turn_max = 64;  // connections accepted before the loop gets a turn

  // When accepting fails (out of descriptors, most often): how long it rests, doubled up to the maximum while
  // it lasts. The kernel's backlog keeps the connections meanwhile.
  Duration accept_pause_min = std::chrono::milliseconds(20);
  Duration accept_pause_max = std::chrono::seconds(1);
  // From one log line that says so to the next: at the edge it may fail and succeed many times a second.
  Duration accept_log_interval = std::chrono::minutes(1);
};

// Input buffer of a connection: what nearly every head fits in, so that ten thousand idle ones take 40 MB.
inline constexpr std::size_t input_bytes_initial = 4u << 10;
// Piece in which larger bodies are read: fewer system calls; taken only while a body is being read.
inline constexpr std::size_t body_piece_bytes = 64u << 10;
inline constexpr std::size_t spare_body_buffers_max = 16;

// A body up to this size is copied behind its head: one buffer costs the kernel less than a gathered write of
// two.
inline constexpr std::size_t copied_body_bytes_max = 2u << 10;

// Answers that wait for the end of the loop's turn: what a pipelining client may have gathered, and the
// buffer that a connection keeps for the next one.
inline constexpr std::size_t waiting_bytes_max = 16u << 10;
inline constexpr std::size_t waiting_bytes_kept = 1u << 10;

inline constexpr std::size_t request_id_bytes_max = 64;

}  // namespace tollgate::http
