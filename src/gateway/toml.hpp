// toml++, parsing without exceptions. Include it nowhere but in the sources that read a configuration: it is
// large.
#pragma once

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>
