// One client for all variants of the gateway study: the same requests, and answers that may differ only where
// the study says so. Failures are GoogleTest's.
#pragma once

#include <cstdint>
#include <string>

namespace tollgate::testing {

struct StudyGateway {
  std::uint16_t port = 0;
  std::string variant;       // X-Gateway-Variant
  std::string prefix;        // of every transformed body: "" or "wasm:"
  std::string upstream_url;  // with its base path; what stands there is study_upstream
};

// Configuration of the upstream that study_smoke expects: below /base, and nowhere else, it answers `ok` on
// /ok, 404 on /missing, and echoes all else.
extern const char study_upstream[];

// Health, hello, compute, the counter from 0, the proxied paths, header set and limits of a gateway just
// started.
void study_smoke(const StudyGateway& gateway);

}  // namespace tollgate::testing
