//! SHA-256 for C++: the engine brings an implementation that uses the CPU's instructions.
use sha2::{Digest, Sha256};

pub struct tollgate_sha256_t(Sha256);

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn tollgate_sha256_new() -> Box<tollgate_sha256_t> {
    Box::new(tollgate_sha256_t(Sha256::new()))
}

/// See the header.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tollgate_sha256_update(
    state: &mut tollgate_sha256_t,
    bytes: *const u8,
    length: usize,
) {
    if length > 0 {
        state.0.update(unsafe { std::slice::from_raw_parts(bytes, length) });
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn tollgate_sha256_finish(state: Box<tollgate_sha256_t>, out: &mut [u8; 32]) {
    out.copy_from_slice(&state.0.finalize());
}
