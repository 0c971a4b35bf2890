//! What tollgate cannot run is refused with a sentence that names it.
use super::*;

fn refusal(text: &str) -> String {
    try_wat(text).unwrap_err().0
}

#[track_caller]
fn assert_refused(text: &str, part: &str) {
    let sentence = refusal(text);
    assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
}

#[test]
fn memory64_is_refused_by_name() {
    assert_refused(r#"(module (memory (export "memory") i64 1) (func (export "_start")))"#, "memory64");
}

#[test]
fn multi_memory_is_refused_by_name_defined_or_imported() {
    assert_refused(&command("(memory 1)"), "multi-memory");
    assert_refused(
        r#"(module (import "env" "m" (memory 1)) (memory (export "memory") 1) (func (export "_start")))"#,
        "multi-memory",
    );
}

#[test]
fn shared_memory_is_refused_by_name_defined_or_imported() {
    assert_refused(
        r#"(module (memory (export "memory") 1 2 shared) (func (export "_start")))"#,
        "shared memory",
    );
    assert_refused(
        r#"(module (import "env" "m" (memory 1 2 shared)) (func (export "_start")))"#,
        "shared memory",
    );
}

#[test]
fn an_unknown_import_is_named() {
    let sentence = refusal(&r#"(module (import "env" "foo" (func)) (memory (export "memory") 1))"#);
    assert!(sentence.contains("unknown import env.foo"), "{sentence}");
    assert_refused(
        r#"(module (import "wasi_snapshot_preview1" "fd_fly" (func)) (memory (export "memory") 1))"#,
        "wasi_snapshot_preview1.fd_fly",
    );
    assert_refused(r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#, "env.memory");
    assert_refused(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (global i32)) (memory (export "memory") 1))"#,
        "unknown import wasi_snapshot_preview1.fd_write",
    );
}

#[test]
fn an_import_with_another_signature_is_refused_with_both() {
    let sentence = refusal(
        r#"(module (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i32) (result i32)))
             (memory (export "memory") 1) (func (export "_start")))"#,
    );
    assert!(sentence.contains("ii:i") && sentence.contains("iIi:i"), "{sentence}");
}

#[test]
fn components_come_later() {
    assert_refused("(component)", "components come later");
    assert_refused(
        r#"(module (import "wasi:http/types@0.2.0" "[constructor]fields" (func (result i32))))"#,
        "components come later",
    );
}

#[test]
fn what_is_no_module_is_told_what_it_is() {
    let say = |bytes: &[u8]| rewrite(bytes, &preview1(), LIMIT).unwrap_err().0;
    assert!(say(b"").contains("not a WebAssembly module"));
    assert!(say(b"\0asm").contains("not a WebAssembly module"));
    assert!(say(b"\0asm\x02\0\0\0").contains("not a WebAssembly module"));
    assert!(say(b"#!/bin/sh\n").contains("not a WebAssembly module"));
    assert!(say(b"\x7fELF\x02").contains("--trust-precompiled"));
    assert!(say(b"  (module)").contains("wat2wasm"));
}

#[test]
fn a_module_without_an_entry_point_or_memory_is_refused() {
    assert_refused(r#"(module (memory (export "memory") 1))"#, "no entry point");
    assert_refused(r#"(module (memory 1) (func (export "_start")))"#, "does not export its memory");
    assert_refused(r#"(module (func (export "_start")))"#, "no memory");
    assert_refused(
        r#"(module (memory (export "memory") 1) (func (export "_start") (param i32)))"#,
        "with the signature i:",
    );
    assert_refused(
        r#"(module (memory (export "memory") 1) (global (export "_start") i32 (i32.const 0)))"#,
        "something else than a function",
    );
    assert_refused(
        r#"(module (memory 1) (func (export "memory")) (func (export "_start")))"#,
        "does not export its memory",
    );
}

#[test]
fn features_that_are_not_enabled_are_named() {
    assert_refused(&command("(tag $e) (func (throw $e))"), "exceptions");
    assert_refused(&command("(func (param externref))"), "externref");
    assert_refused(&command("(type (struct (field i32)))"), "gc");
    assert_refused(&command("(func (drop (i32.atomic.load (i32.const 0))))"), "threads");
}

#[test]
fn an_initial_memory_at_the_limit_passes_and_one_page_more_does_not() {
    let module = |pages| {
        wat::parse_str(format!(r#"(module (memory (export "memory") {pages}) (func (export "_start")))"#))
            .unwrap()
    };
    assert!(rewrite(&module(16), &preview1(), 1 << 20).is_ok());
    let sentence = rewrite(&module(17), &preview1(), 1 << 20).unwrap_err().0;
    assert!(sentence.contains("1114112") && sentence.contains("1048576"), "{sentence}");
}

#[test]
fn tables_and_globals_have_limits() {
    assert_refused(&command("(table 1000001 funcref)"), "1000001 table elements");
    assert_refused(&command(&"(global i32 (i32.const 0))".repeat(65_537)), "65537 globals");
    assert!(try_wat(&command("(table 1000000 funcref)")).is_ok());
    assert_refused(&command(&"(table 0 funcref)".repeat(65)), "65 tables");
    assert!(try_wat(&command(&"(table 0 funcref)".repeat(64))).is_ok());
}

#[test]
fn an_invalid_body_is_refused_with_its_offset() {
    assert_refused(&command("(func (result i32))"), "not valid WebAssembly");
}
