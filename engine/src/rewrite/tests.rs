//! What all tests of the rewrite share: the host they name, and how they make a module of text.
mod behaviour;
mod refusals;
mod segments_and_start;
mod tables;

use super::*;

const LIMIT: u64 = 1 << 30;

fn preview1() -> HostFunctions {
    let mut host = HostFunctions::default();
    host.add("fd_write", "iiii:i");
    host.add("proc_exit", "i:");
    host.add("clock_time_get", "iIi:i");
    host
}

fn try_wat(text: &str) -> Result<Rewritten, Refusal> {
    rewrite(&wat::parse_str(text).unwrap(), &preview1(), LIMIT)
}

fn command(fields: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {fields})"#)
}
