//! A module behaves as before: run in the engine with and without the rewrite, with the image laid into the memory as
//! a slot would have it.
use std::sync::{Arc, Mutex};

use wasmtime_c_api::wasmtime::{Engine, Error, Extern, Instance, Linker, Module, Store, Trap};

use super::*;
use crate::config::{Kind, new_engine};

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
