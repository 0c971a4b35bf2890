//! Copies Wasmtime's C headers to `$TOLLGATE_ENGINE_INCLUDE`, tells the crate its engine's version, and refuses an
//! engine below the security floor.
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The oldest release of each maintained line without a known sandbox escape. Older lines are refused; newer ones
/// than the last named here pass.
const SECURITY_FLOOR: [(u64, u64, u64); 3] = [(48, 0, 8), (49, 0, 5), (50, 0, 1)];

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The version of package `wasmtime` in the lock file, which is what gets linked.
fn locked_engine_version(lock: &str) -> Option<&str> {
    let mut lines = lock.lines();
    lines.find(|line| *line == "name = \"wasmtime\"")?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn parse_version(text: &str) -> Option<(u64, u64, u64)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

fn is_above_floor(version: (u64, u64, u64)) -> bool {
    match SECURITY_FLOOR.iter().find(|floor| floor.0 == version.0) {
        Some(floor) => version >= *floor,
        None => version.0 > SECURITY_FLOOR[SECURITY_FLOOR.len() - 1].0,
    }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=Cargo.lock");
    println!("cargo:rerun-if-env-changed=TOLLGATE_ENGINE_INCLUDE");
    let crate_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder"));
    let lock = fs::read_to_string(crate_dir.join("Cargo.lock")).expect("read Cargo.lock");
    let text = locked_engine_version(&lock).expect("Cargo.lock names wasmtime's version");
    let version = parse_version(text).expect("wasmtime's version has three numbers");
    assert!(
        is_above_floor(version),
        "wasmtime {text} has known sandbox escapes: 48.0.8, 49.0.5, 50.0.1 or newer is needed for untrusted guests"
    );
    println!("cargo:rustc-env=TOLLGATE_WASMTIME_VERSION={text}");

    let headers =
        PathBuf::from(env::var("DEP_WASMTIME_C_API_INCLUDE").expect("the C API crate exports its headers"));
    if let Ok(target) = env::var("TOLLGATE_ENGINE_INCLUDE") {
        copy_tree(&headers, Path::new(&target)).expect("copy Wasmtime's headers");
    }
}
