// What the supervisor and a worker say to each other, one message a packet, as JSON.
//
//   supervisor                       worker
//   Start (shared memory)            locks itself down
//   Table, Listeners, Programs...,   keeps what comes; at Commit builds the table
//     Directories...,
//     Modules..., Commit        -->
//                               <--  Loaded or Refused
//   Switch                      -->  serves with it (or Discard: forgets it)
//                               <--  Switched
//   Upstreams                   -->  new addresses of upstream names, at any time
//   Spawner                     -->  has programs started there, at any time
//   Drain                       -->  finishes what runs, closes its end
//
// A table that is offered has a generation; messages about another generation than the last offered are
// refused.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/expected.hpp"
#include "sandbox/bundle.hpp"

namespace tollgate::gateway::message {

struct Identity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

// Descriptors: SharedCounts, WorkerMark, StatsSegment, then those of SiblingLinks::of_worker(), if any.
struct Start {
  std::uint32_t worker = 0;          // its index, from 0
  std::optional<unsigned> cpu;       // to keep to (cpus.hpp)
  std::optional<Identity> identity;  // whom to become; absent when the supervisor is not root
};

// Descriptors: the table's content (a memory file, see table_content.hpp), then the access log if there is
// one.
struct Table {
  std::uint64_t generation = 0;
};

// Descriptors: one per address. Absent after the first table of a worker: its listeners stay.
struct Listeners {
  std::uint64_t generation = 0;
  std::vector<std::string> addresses;
};

struct ProgramEntry {
  std::string module;  // path, as the routes name it
  sandbox::Manifest manifest;
};

// Descriptors, for each entry: the code, then the image if the manifest has one.
struct Programs {
  std::uint64_t generation = 0;
  std::vector<ProgramEntry> entries;
};

// Descriptors: one per host path, opened as a directory.
struct Directories {
  std::uint64_t generation = 0;
  std::vector<std::string> hosts;
};

// Descriptors: one per name, of module_name() (config.hpp): what engines' command lines run.
struct Modules {
  std::uint64_t generation = 0;
  std::vector<std::string> names;
};

// Descriptor: a socket to a spawner, from now on the worker's (spawn/spawn_protocol.hpp).
struct Spawner {
  std::uint32_t worker = 0;
};

struct Commit {
  std::uint64_t generation = 0;
};
struct Loaded {
  std::uint64_t generation = 0;
};
struct Refused {
  std::uint64_t generation = 0;
  std::string reason;  // a sentence for the log
};
struct Switch {
  std::uint64_t generation = 0;
};
struct Switched {
  std::uint64_t generation = 0;
};
struct Discard {
  std::uint64_t generation = 0;
};

struct Upstream {
  std::string host;
  std::vector<std::string> addresses;  // numeric
};
struct Upstreams {
  std::vector<Upstream> upstreams;
};

struct Drain {
  std::chrono::milliseconds limit{};
};

using Message = std::variant<Start, Table, Listeners, Programs, Directories, Commit, Loaded, Refused, Switch,
                             Switched, Discard, Upstreams, Drain, Modules, Spawner>;

std::string encode(const Message& message);
expected<Message, std::string> decode(std::string_view bytes);

}  // namespace tollgate::gateway::message
