// Names for temporary files in folders that other processes use too.
#pragma once

#include <string>

namespace tollgate {

// 16 random hexadecimal digits. A process id would not do: containers that share a folder have the same ones.
std::string unique_name();

}  // namespace tollgate
