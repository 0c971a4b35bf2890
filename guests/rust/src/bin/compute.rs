// The gateway study's /compute, honestly in the guest: N chained rounds of SHA-256 (?iters=N, default 50,000).
//
// A link of the chain hashes 40 bytes (digest, round as little-endian u64), with padding one block: the digest stays
// in words (FIPS 180-4), and all rounds are unrolled.
use std::io::{self, Write};

const ROUNDS_DEFAULT: u64 = 50_000;
const ROUNDS_MAX: u64 = 10_000_000;

const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

macro_rules! round {
    ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $k:expr, $w:expr) => {
        let sigma1 = $e.rotate_right(6) ^ $e.rotate_right(11) ^ $e.rotate_right(25);
        let choose = $g ^ ($e & ($f ^ $g));
        let t1 = $h.wrapping_add(sigma1).wrapping_add(choose).wrapping_add($k).wrapping_add($w);
        let sigma0 = $a.rotate_right(2) ^ $a.rotate_right(13) ^ $a.rotate_right(22);
        let majority = ($a & $b) | ($c & ($a | $b));
        $d = $d.wrapping_add(t1);
        $h = t1.wrapping_add(sigma0).wrapping_add(majority);
    };
}

// Word i of the schedule, in a ring of 16.
macro_rules! next {
    ($w:ident, $i:expr) => {{
        let (s0, s1) = ($w[($i + 1) & 15], $w[($i + 14) & 15]);
        let small0 = s0.rotate_right(7) ^ s0.rotate_right(18) ^ (s0 >> 3);
        let small1 = s1.rotate_right(17) ^ s1.rotate_right(19) ^ (s1 >> 10);
        $w[$i & 15] = $w[$i & 15].wrapping_add(small0).wrapping_add($w[($i + 9) & 15]).wrapping_add(small1);
        $w[$i & 15]
    }};
}

macro_rules! eight {
    ($v:ident, $word:expr, $i:expr, $($k:expr),*) => {{
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = $v;
        let k = [$($k),*];
        round!(a b c d e f g h, k[0], $word($i));
        round!(h a b c d e f g, k[1], $word($i + 1));
        round!(g h a b c d e f, k[2], $word($i + 2));
        round!(f g h a b c d e, k[3], $word($i + 3));
        round!(e f g h a b c d, k[4], $word($i + 4));
        round!(d e f g h a b c, k[5], $word($i + 5));
        round!(c d e f g h a b, k[6], $word($i + 6));
        round!(b c d e f g h a, k[7], $word($i + 7));
        $v = [a, b, c, d, e, f, g, h];
    }};
}

#[inline(always)]
fn chain_link(digest: [u32; 8], number: u64) -> [u32; 8] {
    let mut w = [0u32; 16];
    w[..8].copy_from_slice(&digest);
    w[8] = (number as u32).swap_bytes();
    w[9] = ((number >> 32) as u32).swap_bytes();
    w[10] = 0x8000_0000;
    w[15] = 40 * 8;
    let mut v = INITIAL;
    let given = |i: usize| w[i];
    eight!(v, given, 0, 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5);
    eight!(v, given, 8, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174);
    let mut next = |i: usize| next!(w, i);
    eight!(v, next, 16, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da);
    eight!(v, next, 24, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967);
    eight!(v, next, 32, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85);
    eight!(v, next, 40, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070);
    eight!(v, next, 48, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3);
    eight!(v, next, 56, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2);
    std::array::from_fn(|i| v[i].wrapping_add(INITIAL[i]))
}

fn rounds_of(query: &str) -> Option<u64> {
    match query.split('&').find_map(|pair| pair.strip_prefix("iters=")) {
        None => Some(ROUNDS_DEFAULT),
        Some(value) => value.parse().ok().filter(|rounds| *rounds <= ROUNDS_MAX),
    }
}

fn main() -> io::Result<()> {
    let query = std::env::var("QUERY_STRING").unwrap_or_default();
    let answer = match rounds_of(&query) {
        None => format!("Status: 400 Bad Request\nContent-Type: text/plain\n\niters is a number up to {ROUNDS_MAX}\n"),
        Some(rounds) => {
            let digest = (0..rounds).fold([0u32; 8], chain_link);
            let hex: String = digest.iter().map(|word| format!("{word:08x}")).collect();
            format!("Content-Type: text/plain\n\n{hex}")
        }
    };
    io::stdout().write_all(answer.as_bytes())
}
