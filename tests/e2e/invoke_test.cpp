// tollgate invoke.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/gateway_process.hpp"
#include "tests/support/guests.hpp"

namespace tollgate::testing {
namespace {

TEST(Invoke, prints_the_response_to_stdout_and_the_costs_to_stderr) {
  const Exit ended = run_tollgate({"invoke", guest("gateway_wasm_c"), "--abi", "stdio", "--body", "hello"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "HTTP/1.1 200\n\nwasm:hello");
  for (const char* part : {"compile ", "load ", "instantiate ", "run ", "teardown ", "hot "}) {
    EXPECT_NE(ended.err.find(part), std::string::npos) << ended.err;
  }
}

TEST(Invoke, repeats_and_tells_least_and_median) {
  const Exit ended =
      run_tollgate({"invoke", guest("gateway_wasm_c"), "--abi", "stdio", "--body", "x", "--repeat", "50"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_NE(ended.err.find("median of 50"), std::string::npos) << ended.err;
}

TEST(Invoke, gives_a_cgi_guest_method_path_and_headers) {
  const Exit ended = run_tollgate({"invoke", guest("hello_cgi_c"), "--method", "POST", "--path", "/a/b?c=d",
                                   "--header", "X-One: two", "--body", "the body"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* line : {"HTTP/1.1 200\n", "REQUEST_METHOD=POST\n", "PATH_INFO=/a/b\n",
                           "QUERY_STRING=c=d\n", "HTTP_X_ONE=two\n", "CONTENT_LENGTH=8\n", "\nthe body"}) {
    EXPECT_NE(ended.out.find(line), std::string::npos) << line << ended.out;
  }
}

TEST(Invoke, fails_with_the_reason_when_the_guest_or_the_module_does) {
  const Exit trapped = run_tollgate({"invoke", guest("bad/division")});
  EXPECT_EQ(trapped.code, 1);
  EXPECT_NE(trapped.err.find("trap: "), std::string::npos) << trapped.err;
  const Exit exited = run_tollgate({"invoke", guest("bad/exit_3")});
  EXPECT_EQ(exited.code, 1);
  EXPECT_NE(exited.err.find("exit code 3"), std::string::npos) << exited.err;
  EXPECT_EQ(run_tollgate({"invoke", "/none.wasm"}).code, 1);
  EXPECT_EQ(run_tollgate({"invoke"}).code, 2);
  const Exit directory = run_tollgate({"invoke", guest("echo_c"), "--body", "@/"});
  EXPECT_EQ(directory.code, 1);
  EXPECT_NE(directory.err.find("Is a directory"), std::string::npos) << directory.err;
}

TEST(Invoke, says_which_limit_ended_a_guest) {
  const Exit cpu = run_tollgate({"invoke", guest("bad/loop")});
  EXPECT_EQ(cpu.code, 1);
  EXPECT_NE(cpu.err.find("cpu: The handler used more CPU time"), std::string::npos) << cpu.err;
}

TEST(Invoke, refuses_a_request_that_is_none) {
  const std::vector<std::vector<std::string>> bad = {
      {"--header", "no colon"}, {"--header", ": x"}, {"--header", "a b: c"}, {"--header", ""},
      {"--method", "G ET"},     {"--method", ""},    {"--path", "a"},        {"--path", ""},
      {"--method", "get"},      {"--path", "/a b"},  {"--path", "/../a"},    {"--header", "a: b\r\nc: d"},
      {"--env", "NAME"},        {"--env", "=value"}};
  for (const auto& option : bad) {
    const Exit ended = run_tollgate({"invoke", guest("hello_cgi_c"), option[0], option[1]});
    EXPECT_EQ(ended.code, 2) << option[0] << option[1];
    EXPECT_NE(ended.err.find(option[0] + ": "), std::string::npos) << ended.err;
  }
}

TEST(Invoke, tells_the_guest_the_host_that_is_asked_for) {
  const Exit ended = run_tollgate({"invoke", guest("hello_cgi_c"), "--header", "host: a.example:81"});
  for (const char* line : {"HTTP_HOST=a.example:81\n", "SERVER_NAME=a.example\n"}) {
    EXPECT_NE(ended.out.find(line), std::string::npos) << line << ended.out;
  }
}

}  // namespace
}  // namespace tollgate::testing
