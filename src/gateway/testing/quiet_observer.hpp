// For tests: observers of requests that keep nothing, or only what guests wrote to stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/observe/request_observer.hpp"

namespace tollgate::gateway::testing {

class QuietObserver : public RequestObserver {
 public:
  void ended(const RequestRecord&) override {}
  void refused(const http::Reason&, std::string_view) override {}
  void sandbox_begun(std::uint32_t) override {}
  void sandbox_ended(std::uint32_t) override {}
  void guest_line(std::string_view, std::string_view, std::string_view) override {}
};

class KeptLines final : public QuietObserver {
 public:
  void guest_line(std::string_view, std::string_view, std::string_view line) override {
    lines.emplace_back(line);
  }

  std::vector<std::string> lines;
};

}  // namespace tollgate::gateway::testing
