//! The Kubernetes demo's echo server as a Wasm module that owns its socket: any request gets `echo: ` and its own
//! body. One thread, one connection at a time, as the demo's guest; WasmEdge's socket extension is not part of WASI.
use std::io::{self, Read, Write};

use wasmedge_wasi_socket::{Shutdown, TcpListener, TcpStream};

const HEAD_BYTES_MAX: usize = 64 << 10;
const BODY_BYTES_MAX: usize = 2 << 20;

/// Where the head ends and how long the body is, once the whole head is in `bytes`.
fn head_end_and_body_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = bytes[..end]
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    Some((end, length))
}

fn answer(stream: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0u8; 8192];
    let (start, length) = loop {
        if let Some((start, length)) = head_end_and_body_length(&request) {
            if length > BODY_BYTES_MAX {
                return stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            }
            if request.len() >= start + length {
                break (start, length);
            }
        } else if request.len() > HEAD_BYTES_MAX {
            return Ok(());
        }
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&piece[..count]);
    };
    let mut response =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\necho: ", 6 + length).into_bytes();
    response.extend_from_slice(&request[start..start + length]);
    stream.write_all(&response)
}

fn main() -> io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "1234".to_owned());
    let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
    let listener = TcpListener::bind(format!("{host}:{port}"), false)?;
    loop {
        let (mut stream, _) = listener.accept(false)?;
        let _ = answer(&mut stream);
        let _ = stream.shutdown(Shutdown::Both);
    }
}
