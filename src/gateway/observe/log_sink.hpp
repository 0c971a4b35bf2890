// Where log lines leave the process: a regular file, or a pipe, terminal or socket that somebody else may
// have stopped reading. Writing never waits: a worker whose log nobody reads goes on serving.
//
// O_NONBLOCK belongs to the open file description, which stderr shares with whoever started us, so it is
// never set on what was inherited. Instead the supervisor opens a description of its own
// (open_nonblocking_sink of base/log.hpp) and passes that one to the workers. Where that is refused (a
// socket, another user's pipe) each write asks for not waiting by itself. The process must ignore SIGPIPE.
#pragma once

#include <string>
#include <string_view>

#include "base/expected.hpp"
#include "base/unique_fd.hpp"

namespace tollgate::gateway {

// Supervisor: opens a log file to append to, made when it is not there (mode 0640). A FIFO needs a reader.
// The error is a sentence that names the path.
expected<UniqueFd, std::string> open_log_file(const std::string& path);

class LogSink {
 public:
  enum class Result {
    done,     // all was taken
    blocked,  // not all was taken: try again later
    failed,   // nobody can read it any more, or the disk is full: these lines are lost
  };

  explicit LogSink(UniqueFd fd);

  // Writes whole lines (each ends in '\n' and has at most PIPE_BUF bytes) and removes from `lines` what was
  // taken. Lines of several processes do not mix: what goes to a pipe goes in atomic writes of whole lines.
  // A disk that fills up may take a part of a line; the next line then begins a new one.
  Result write(std::string_view& lines);

 private:
  enum class Kind {
    file,         // never waits for a reader
    not_waiting,  // has O_NONBLOCK on a description of our own
    socket,       // MSG_DONTWAIT
    per_write,    // RWF_NOWAIT, and a poll before it where the kernel does not know that
  };

  static Kind kind_of(int fd);
  Result write_all(std::string_view& bytes);
  long write_some(std::string_view bytes);

  UniqueFd fd_;
  Kind kind_;
  bool line_cut_ = false;  // the last byte taken was not the end of a line, and the rest of that line is lost
};

}  // namespace tollgate::gateway
