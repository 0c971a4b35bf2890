//! Refusals by name, what moves and what stays, and that a module behaves as before: run in the engine with and
//! without the rewrite, with the image laid into the memory as a slot would have it.
use std::sync::{Arc, Mutex};

use wasmtime_c_api::wasmtime::{Engine, Error, Extern, Instance, Linker, Module, Store, Trap};

use super::*;
use crate::config::{Kind, new_engine};

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

fn refusal(text: &str) -> String {
    try_wat(text).unwrap_err().0
}

fn command(fields: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start")) {fields})"#)
}

#[track_caller]
fn assert_refused(text: &str, part: &str) {
    let sentence = refusal(text);
    assert!(sentence.contains(part), "{sentence:?} does not say {part:?}");
}

mod refusals {
    use super::*;

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
        assert_refused(
            r#"(module (import "env" "memory" (memory 1)) (func (export "_start")))"#,
            "env.memory",
        );
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
        assert_refused(&command("(func (param externref))"), "gc-types");
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
    }

    #[test]
    fn an_invalid_body_is_refused_with_its_offset() {
        assert_refused(&command("(func (result i32))"), "not valid WebAssembly");
    }
}

mod segments_and_start {
    use super::*;

    fn data_segments(wasm: &[u8]) -> usize {
        Survey::of(wasm).unwrap().data.len()
    }

    fn image_bytes(image: &Image, offset: usize, length: usize) -> Vec<u8> {
        let mut memory = vec![0; 65_536];
        for run in image.runs() {
            memory[run.offset as usize..][..run.bytes.len()].copy_from_slice(&run.bytes);
        }
        memory[offset..offset + length].to_vec()
    }

    #[test]
    fn constant_segments_move_and_are_deleted_and_later_ones_win() {
        let result = try_wat(&command(
            r#"(data (i32.const 8) "abcdef") (data (i32.const 10) "XY")
               (data (offset (i32.add (i32.const 10) (i32.const 20))) "ext")"#,
        ))
        .unwrap();
        assert_eq!(data_segments(&result.wasm), 0);
        assert_eq!(image_bytes(&result.image, 8, 6), b"abXYef");
        assert_eq!(image_bytes(&result.image, 30, 3), b"ext");
    }

    #[test]
    fn a_segment_that_ends_with_the_memory_moves_and_one_byte_further_stays() {
        let at = |offset| try_wat(&command(&format!(r#"(data (i32.const {offset}) "abcd")"#))).unwrap();
        assert_eq!(data_segments(&at(65_532).wasm), 0);
        assert_eq!(data_segments(&at(65_533).wasm), 1);
        assert_eq!(data_segments(&at(-4).wasm), 1);
    }

    #[test]
    fn an_empty_segment_beyond_the_memory_stays_for_it_traps() {
        let at = |offset| try_wat(&command(&format!(r#"(data (i32.const {offset}) "")"#))).unwrap();
        assert_eq!(data_segments(&at(65_536).wasm), 0);
        assert_eq!(data_segments(&at(65_537).wasm), 1);
    }

    #[test]
    fn after_a_segment_that_stays_all_later_ones_stay() {
        let result = try_wat(&command(
            r#"(data (i32.const 0) "moved") (data (i32.const 65535) "no") (data (i32.const 8) "stays")"#,
        ))
        .unwrap();
        assert_eq!(data_segments(&result.wasm), 2);
        assert_eq!(image_bytes(&result.image, 0, 16), b"moved\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn segments_that_instructions_can_name_keep_their_index() {
        let result = try_wat(&command(
            r#"(data (i32.const 0) "a") (data $p "passive") (data (i32.const 1) "b") (data (i32.const 2) "c")
               (func (memory.init $p (i32.const 16) (i32.const 0) (i32.const 7)))"#,
        ))
        .unwrap();
        let survey = Survey::of(&result.wasm).unwrap();
        let lengths: Vec<usize> = survey.data.iter().map(|segment| segment.data.len()).collect();
        assert_eq!(lengths, [0, 7]);
        assert!(survey.data.iter().all(|segment| matches!(segment.kind, wasmparser::DataKind::Passive)));
        assert_eq!(image_bytes(&result.image, 0, 3), b"abc");
    }

    #[test]
    fn bytes_that_only_look_like_an_instruction_keep_nothing() {
        // 0xfc 0x08 0x00 0x00 is memory.init 0: here it is part of a constant.
        let result = try_wat(&command(
            r#"(data (i32.const 0) "a") (data $p "x")
               (func (drop (i64.const 0x0000_08fc)) (data.drop $p) (drop (i32.const 0x8fc)))"#,
        ))
        .unwrap();
        assert_eq!(data_segments(&result.wasm), 2);
        let result =
            try_wat(&command(r#"(data (i32.const 0) "a") (func (drop (i64.const 0x08fc)))"#)).unwrap();
        assert_eq!(data_segments(&result.wasm), 0);
    }

    #[test]
    fn ten_thousand_segments_leave_none_behind() {
        let many: String = (0..10_000).map(|i| format!(r#"(data (i32.const {}) "x")"#, i * 3)).collect();
        assert_eq!(data_segments(&try_wat(&command(&many)).unwrap().wasm), 0);
    }

    #[test]
    fn the_entry_point_becomes_the_start_function() {
        let result = try_wat(&command("(func $other)")).unwrap();
        assert_eq!(Survey::of(&result.wasm).unwrap().start, Some(0));
        let reactor = r#"(module (memory (export "memory") 1) (func) (func (export "_initialize")))"#;
        assert_eq!(Survey::of(&try_wat(reactor).unwrap().wasm).unwrap().start, Some(1));
    }

    #[test]
    fn a_start_function_is_called_first_by_one_more_function() {
        let result = try_wat(&command("(func $s) (start $s)")).unwrap();
        let survey = Survey::of(&result.wasm).unwrap();
        assert_eq!((survey.start, survey.functions()), (Some(2), 3));
        let calls: Vec<u32> = survey.bodies[2]
            .get_operators_reader()
            .unwrap()
            .into_iter()
            .filter_map(|operator| match operator.unwrap() {
                wasmparser::Operator::Call { function_index } => Some(function_index),
                _ => None,
            })
            .collect();
        assert_eq!(calls, [1, 0]);
    }

    #[test]
    fn reactors_are_accepted_and_start_goes_before_initialize() {
        let reactor = r#"(module (memory (export "memory") 1 7) (func (export "_initialize")))"#;
        let result = try_wat(reactor).unwrap();
        assert_eq!((result.entry, result.memory_pages_min, result.memory_pages_max), (Entry::Reactor, 1, 7));
        let both = command(r#"(func (export "_initialize"))"#);
        assert_eq!(try_wat(&both).unwrap().entry, Entry::Command);
    }

    #[test]
    fn custom_sections_are_left_out() {
        let result =
            try_wat(r#"(module $named (memory (export "memory") 1) (func $f (export "_start")))"#).unwrap();
        let custom = wasmparser::Parser::new(0)
            .parse_all(&result.wasm)
            .filter(|payload| matches!(payload, Ok(wasmparser::Payload::CustomSection(_))));
        assert_eq!(custom.count(), 0);
    }
}

/// What can be observed of a run: how it ended, what it wrote, and the memory it left.
#[derive(Debug, PartialEq)]
struct Observed {
    ending: String,
    written: Vec<u8>,
    memory: Option<Vec<u8>>, // None when instantiation failed: nobody can see it
}

fn ending(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(error) => match error.downcast_ref::<Trap>() {
            Some(trap) => format!("{trap:?}"),
            None => error.to_string(),
        },
    }
}

/// The rewritten module with its start function as an export, so that the image can be laid in before it is called.
fn with_start_exported(wasm: &[u8]) -> Vec<u8> {
    let survey = Survey::of(wasm).unwrap();
    let mut module = wasm_encoder::Module::new();
    for Section { id, range } in &survey.sections {
        match *id {
            SECTION_EXPORT => {
                let mut exports = wasm_encoder::ExportSection::new();
                exports.export("memory", wasm_encoder::ExportKind::Memory, 0);
                exports.export("start", wasm_encoder::ExportKind::Func, survey.start.unwrap());
                module.section(&exports);
            }
            SECTION_START => {}
            id => {
                module.section(&RawSection { id, data: &wasm[range.clone()] });
            }
        }
    }
    module.finish()
}

/// Runs a module as it is (its start function inside instantiation, then `_start`) or as rewritten (image first).
fn observe(engine: &Engine, wasm: &[u8], rewritten: Option<&Rewritten>) -> Observed {
    let written = Arc::new(Mutex::new(Vec::new()));
    let prepared = rewritten.map(|result| with_start_exported(&result.wasm));
    let module = Module::new(engine, prepared.as_deref().unwrap_or(wasm)).unwrap();
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(u64::MAX / 2);
    let mut linker: Linker<()> = Linker::new(engine);
    let sink = written.clone();
    linker
        .func_wrap(
            PREVIEW1,
            "fd_write",
            move |mut caller: wasmtime_c_api::wasmtime::Caller<()>,
                  a: i32,
                  b: i32,
                  _c: i32,
                  _d: i32|
                  -> i32 {
                let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return 8 };
                let bytes = memory
                    .data(&caller)
                    .get(a as u32 as usize..)
                    .and_then(|rest| rest.get(..b as u32 as usize));
                sink.lock().unwrap().extend_from_slice(bytes.unwrap_or(b"fault"));
                0
            },
        )
        .unwrap();
    let memory_of = |instance: &Instance, store: &mut Store<()>| {
        let memory = instance.get_memory(&mut *store, "memory").unwrap();
        memory.data(&store).to_vec()
    };
    let observed =
        |ending: String, memory| Observed { ending, written: written.lock().unwrap().clone(), memory };

    let instance = match linker.instantiate(&mut store, &module) {
        Ok(instance) => instance,
        Err(error) => return observed(ending(Err(error)), None),
    };
    if let Some(rewritten) = rewritten {
        // Kept segments were applied over an empty memory; the image belongs below them.
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let applied = memory.data(&store).to_vec();
        for run in rewritten.image.runs() {
            memory.write(&mut store, run.offset as usize, &run.bytes).unwrap();
        }
        for (offset, byte) in applied.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            memory.data_mut(&mut store)[offset] = *byte;
        }
    }
    let entry = if rewritten.is_some() { "start" } else { "_start" };
    let result = instance.get_typed_func::<(), ()>(&mut store, entry).unwrap().call(&mut store, ());
    let memory = memory_of(&instance, &mut store);
    observed(ending(result), Some(memory))
}

fn behaves_the_same(engine: &Engine, text: &str) -> Observed {
    let wasm = wat::parse_str(text).unwrap();
    let rewritten = rewrite(&wasm, &preview1(), LIMIT).unwrap();
    let before = observe(engine, &wasm, None);
    let mut after = observe(engine, &wasm, Some(&rewritten));
    if before.memory.is_none() {
        after.memory = None;
    }
    assert_eq!(before, after, "{text}");
    before
}

mod behaviour {
    use super::*;

    const WRITE: &str =
        r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;

    fn writer(fields: &str, body: &str) -> String {
        format!(
            r#"(module {WRITE} (memory (export "memory") 1) {fields}
               (func (export "_start") {body}
                 (drop (call $write (i32.const 0) (i32.const 64) (i32.const 0) (i32.const 0)))))"#
        )
    }

    #[test]
    fn data_start_and_traps_are_as_before() {
        let engine = new_engine(Kind::HotSet).unwrap();
        let same = |fields: &str, body: &str| behaves_the_same(&engine, &writer(fields, body));

        let plain = same(r#"(data (i32.const 3) "hello")"#, "");
        assert_eq!(&plain.written[3..8], b"hello");

        let started = same(
            r#"(data (i32.const 0) "a") (func $s (i32.store8 (i32.const 0) (i32.const 98))) (start $s)"#,
            "",
        );
        assert_eq!(started.written[0], b'b');

        assert_eq!(same("(func $s unreachable) (start $s)", "").ending, "UnreachableCodeReached");
        assert_eq!(same(r#"(data (i32.const 65535) "xx")"#, "").ending, "MemoryOutOfBounds");
        assert_eq!(
            same(r#"(data (i32.const 1) "a") (data (i32.const 70000) "")"#, "").ending,
            "MemoryOutOfBounds"
        );
    }

    #[test]
    fn memory_init_and_data_drop_are_as_before() {
        let engine = new_engine(Kind::HotSet).unwrap();
        let init = |index: u32, length: u32| {
            format!("(memory.init {index} (i32.const 32) (i32.const 0) (i32.const {length}))")
        };
        let data = r#"(data (i32.const 0) "active") (data "passive") (data (i32.const 8) "more")"#;
        let same = |body: &str| behaves_the_same(&engine, &writer(data, body)).ending;
        assert_eq!(same(&init(1, 7)), "done");
        assert_eq!(same(&init(0, 0)), "done");
        assert_eq!(same(&init(0, 1)), "MemoryOutOfBounds");
        assert_eq!(same(&format!("(data.drop 0) (data.drop 1) {}", init(1, 1))), "MemoryOutOfBounds");
        assert_eq!(same(&format!("(data.drop 2) {}", init(1, 7))), "done");
    }

    const RANDOM_MODULES: usize = 200; // each is compiled twice, by an engine without optimisation

    /// A small generator of modules: overlapping, misplaced, passive and named segments, and maybe a start function.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }

        fn module(&mut self) -> String {
            let segments = self.below(7);
            let mut data = String::new();
            for index in 0..segments {
                let letter = (b'a' + index as u8) as char;
                let text: String = std::iter::repeat_n(letter, self.below(9) as usize).collect();
                data += &match self.below(8) {
                    0 => format!(r#"(data "{text}")"#),
                    1 if self.below(6) == 0 => {
                        format!(r#"(data (i32.const {}) "{text}")"#, 65_530 + self.below(12))
                    }
                    2 => format!(
                        r#"(data (offset (i32.sub (i32.const {}) (i32.const {}))) "{text}")"#,
                        32 + self.below(8),
                        self.below(8)
                    ),
                    _ => format!(r#"(data (i32.const {}) "{text}")"#, self.below(48)),
                };
            }
            let mut body = String::new();
            for _ in 0..self.below(3) {
                if segments > 0 {
                    let index = self.below(segments);
                    body += &match self.below(2) {
                        0 => format!("(data.drop {index})"),
                        _ => format!(
                            "(memory.init {index} (i32.const 50) (i32.const 0) (i32.const {}))",
                            self.below(3)
                        ),
                    };
                }
            }
            if self.below(3) == 0 {
                data += "(func $s (i32.store8 (i32.const 5) (i32.add (i32.load8_u (i32.const 5)) (i32.const 1)))) (start $s)";
            }
            writer(&data, &body)
        }
    }

    #[test]
    fn random_modules_behave_as_before() {
        let engine = new_engine(Kind::HotSet).unwrap();
        let mut random = Random(20_260_101);
        for _ in 0..RANDOM_MODULES {
            let text = random.module();
            behaves_the_same(&engine, &text);
        }
    }

    #[test]
    fn a_module_with_any_byte_changed_is_refused_or_stays_valid() {
        let wasm = wat::parse_str(writer(
            r#"(data (i32.const 0) "abc") (data "p") (table 2 funcref) (elem (i32.const 0) $s)
               (global (mut i32) (i32.const 5)) (func $s (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1))) (start $s)"#,
            "",
        ))
        .unwrap();
        for at in 0..wasm.len() {
            for value in [0, 1, 0x0b, 0x41, 0x7f, 0x80, 0xfc, 0xff, wasm[at] ^ 1, wasm[at].wrapping_add(1)] {
                let mut changed = wasm.clone();
                changed[at] = value;
                if let Ok(result) = rewrite(&changed, &preview1(), LIMIT) {
                    Validator::new_with_features(FEATURES).validate_all(&result.wasm).unwrap();
                }
            }
            let _ = rewrite(&wasm[..at], &preview1(), LIMIT);
        }
    }
}
