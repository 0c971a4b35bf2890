// toml++, parsing without exceptions. Include it nowhere but in the sources that read a configuration: it is
// large.
//
// Its assertions are off in every build, as in the release: 3.3.0 asserts on some malformed keys ("[}") where
// it would go on to report them as errors.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1

#pragma push_macro("NDEBUG")
#undef NDEBUG
#define NDEBUG 1
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
