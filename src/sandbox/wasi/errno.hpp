// Error codes of WASI preview 1 (witx/typenames.witx, `$errno`), and the host's errno in them.
#pragma once

#include <cstdint>

namespace tollgate::sandbox::wasi {

enum class Errno : std::uint16_t {
  success = 0,
  toobig = 1,
  acces = 2,
  again = 6,
  badf = 8,
  busy = 10,
  dquot = 19,
  exist = 20,
  fault = 21,
  fbig = 22,
  ilseq = 25,
  intr = 27,
  inval = 28,
  io = 29,
  isdir = 31,
  loop = 32,
  mfile = 33,
  mlink = 34,
  nametoolong = 37,
  nfile = 41,
  noent = 44,
  nomem = 48,
  nospc = 51,
  nosys = 52,
  notdir = 54,
  notempty = 55,
  notsock = 57,
  notsup = 58,
  overflow = 61,
  perm = 63,
  range = 68,
  rofs = 69,
  spipe = 70,
  stale = 72,
  txtbsy = 74,
  xdev = 75,
  notcapable = 76,  // the descriptor's rights, or the directory's confinement, do not allow it
};

// The guest's code for a host errno; one that has no counterpart above is `io`.
Errno from_host(int host_errno);

}  // namespace tollgate::sandbox::wasi
