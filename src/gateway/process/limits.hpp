// How long the supervisor waits for whom, and how much it keeps; each with its reason.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tollgate::gateway {

// A worker loads a cached program in well under a millisecond; a table of thousands, on a loaded machine, in
// seconds. One that has not answered by then is stuck and is killed.
inline constexpr std::chrono::milliseconds load_time_max{30'000};
// Switching is an assignment.
inline constexpr std::chrono::milliseconds switch_time_max{5'000};
// What a worker needs beyond the drain's own limit to notice it and exit, before it is killed.
inline constexpr std::chrono::milliseconds drain_grace{200};

// Programs a packet carries: a few, since the kernel bounds descriptors under way and a manifest is some 500
// bytes.
inline constexpr std::size_t programs_per_packet_max = 16;
inline constexpr std::size_t directories_per_packet_max = 16;
inline constexpr std::size_t modules_per_packet_max = 16;
// Upstream names with their addresses, a few hundred bytes each.
inline constexpr std::size_t upstreams_per_packet_max = 64;
// The names of a new table are asked again at their time; in between the supervisor looks no more often than
// this.
inline constexpr std::chrono::milliseconds resolve_pause_min{1'000};

// A worker's reason for refusing a table, in a packet.
inline constexpr std::size_t refusal_bytes_max = 8 * 1024;

// A worker slot whose workers crash that often within that time is restarted with a growing delay.
inline constexpr unsigned crashes_before_backoff = 5;
inline constexpr std::chrono::seconds crash_window{10};
inline constexpr std::chrono::milliseconds backoff_first{500};
inline constexpr std::chrono::milliseconds backoff_max{30'000};
// A route that was running in that many crashes is answered with 503 until the next reload.
inline constexpr unsigned crashes_before_quarantine = 3;

// A spawner ends with its worker once everything it started is gone, for which it has about a second.
inline constexpr std::chrono::milliseconds spawner_end_max{3'000};
// A signal repeated within this is the same order: `timeout` sends each to its child and to the child's
// group.
inline constexpr std::chrono::milliseconds signal_echo_max{10};

// A start or reload that compiles says every so often how far it is.
inline constexpr std::chrono::milliseconds compile_progress_interval{5'000};

// Between a spawner's death and its successor's start.
inline constexpr std::chrono::milliseconds spawner_pause{100};
// Between tries to start one where the machine has no room for it.
inline constexpr std::chrono::milliseconds spawner_retry{500};

// Scrapers and probes; each has its own connection, and nobody else has business there.
inline constexpr std::uint32_t admin_connections_max = 64;

// The kill port: what its one client may take to read the answer.
inline constexpr std::chrono::milliseconds kill_port_linger{1'000};
inline constexpr std::chrono::milliseconds kill_port_retry{100};  // after a failed accept

}  // namespace tollgate::gateway
