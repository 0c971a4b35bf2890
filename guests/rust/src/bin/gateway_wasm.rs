// The gateway study's guest: reads all of stdin and answers with `wasm:` in front of it.
use std::io::{self, Read, Write};

fn main() -> io::Result<()> {
    let mut answer = b"wasm:".to_vec();
    io::stdin().read_to_end(&mut answer)?;
    io::stdout().write_all(&answer)
}
