#include "tests/support/study_smoke.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/http_client.hpp"

namespace tollgate::testing {

const char study_upstream[] =
    "listen = \"127.0.0.1:0\"\nworkers = 1\n"
    "[[route]]\npath = \"/base/ok\"\nhost = \"127.0.0.1\"\nrespond = { body = \"ok\" }\n"
    "[[route]]\npath = \"/base/missing\"\nrespond = { status = 404, body = \"gone\" }\n"
    "[[route]]\npath = \"/base/*\"\nnative = \"echo\"\n";

namespace {

// python3 -c 'import hashlib, struct; h = bytes(32)
// for i in range(10): h = hashlib.sha256(h + struct.pack("<Q", i)).digest()
// print(h.hex())'
constexpr char digest_of_ten_rounds[] = "38b0b5cecead005fd0852bbd60c50949ae624eace5504b0ef9891934d20ade82";

constexpr std::size_t body_bytes_max = 2u << 20;
constexpr std::size_t head_bytes_max = 64u << 10;

// Every name of a response's fields, so that a variant that adds or loses one is seen.
std::set<std::string> names(const Response& response) {
  std::set<std::string> result;
  for (const auto& [name, value] : response.fields) result.insert(name);
  return result;
}

class Smoke {
 public:
  explicit Smoke(const StudyGateway& gateway) : gateway_(gateway) {}

  void native_workloads() const {
    expect(get(gateway_.port, "/health"), "OK", "health");
    expect(get(gateway_.port, "/"), passed("hello"), "hello");
    expect(get(gateway_.port, "/?x=1"), passed("hello"), "hello");
    expect(get(gateway_.port, "/compute?iters=10"), passed(digest_of_ten_rounds), "compute");
    expect(get(gateway_.port, "/state"), passed("0"), "state");
    expect(get(gateway_.port, "/state"), passed("1"), "state");
  }

  void proxy() const {
    const Response found = get(gateway_.port, "/ok?q=1");
    expect(found, passed("ok"), "proxy");
    EXPECT_EQ(found.field("x-upstream-url"), gateway_.upstream_url + "/ok?q=1");
    EXPECT_EQ(found.field("x-upstream-status"), "200");
    const Response missing = get(gateway_.port, "/missing");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.body, passed("gone"));
    EXPECT_EQ(missing.field("x-upstream-status"), "404");
    expect(request(gateway_.port, "POST", "/echo", "sent"), passed("echo: sent"), "proxy");
    expect(request(gateway_.port, "POST", "/health", "sent"), passed("echo: sent"), "proxy");
    expect(request(gateway_.port, "PUT", "/", "sent"), passed("echo: sent"), "proxy");
  }

  void limits() const {
    const Response whole = request(gateway_.port, "POST", "/echo", std::string(body_bytes_max, 'x'));
    EXPECT_EQ(whole.status, 200);
    EXPECT_EQ(whole.body.size(), passed("echo: ").size() + body_bytes_max);
    Connection large(gateway_.port);
    large.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body_bytes_max + 1) +
               "\r\n\r\n");
    EXPECT_EQ(large.read_response().status, 413);
    EXPECT_EQ(get(gateway_.port, "/", {{"X-Large", std::string(head_bytes_max - 4096, 'x')}}).status, 200);
    EXPECT_EQ(get(gateway_.port, "/", {{"X-Large", std::string(head_bytes_max, 'x')}}).status, 431);
  }

 private:
  std::string passed(const std::string& body) const { return gateway_.prefix + body; }

  void expect(const Response& response, const std::string& body, const std::string& workload) const {
    EXPECT_EQ(response.status, 200) << workload;
    EXPECT_EQ(response.body, body) << workload;
    EXPECT_EQ(response.field("x-gateway-variant"), gateway_.variant) << workload;
    EXPECT_EQ(response.field("x-gateway-workload"), workload);
    std::set<std::string> expected{"content-length", "content-type",      "date",
                                   "x-request-id",   "x-gateway-variant", "x-gateway-workload"};
    if (workload == "proxy") {
      expected.insert({"x-upstream-url", "x-upstream-status"});
      if (!gateway_.prefix.empty()) {
        expected.insert("x-wasm-processed");
        EXPECT_EQ(response.field("x-wasm-processed"), "1");
      }
    }
    EXPECT_EQ(names(response), expected) << workload;
  }

  const StudyGateway& gateway_;
};

}  // namespace

void study_smoke(const StudyGateway& gateway) {
  const Smoke smoke(gateway);
  smoke.native_workloads();
  smoke.proxy();
  smoke.limits();
}

}  // namespace tollgate::testing
