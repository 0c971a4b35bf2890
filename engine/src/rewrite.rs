//! What happens to a module before it is compiled. Three things make instantiation cheap and harmless:
//!
//! - active data segments move into an *image*, the memory's initial content, which the host maps into a slot once
//!   instead of copying it for each request;
//! - the entry point becomes the start function (after the module's own, if it has one), so that making the instance
//!   *is* running the guest: one activation on one fiber, and no look-up of an export per request;
//! - tables that nothing uses are left out: wasm-ld emits one always, and each instance would make it anew.
//!
//! The module behaves as before: a segment moves only when it would certainly have been applied at that place and in
//! that order. Input and result are both validated; what tollgate cannot run is refused with a sentence.
mod image;
mod segments;
mod survey;

use std::collections::HashMap;
use std::fmt;

use wasm_encoder::{
    CodeSection, DataCountSection, Function, FunctionSection, Module, RawSection, StartSection,
};
use wasmparser::{BinaryReaderError, ExternalKind, Validator, WasmFeatures};

use crate::config::FEATURES;
pub use image::{Image, PAGE_BYTES, Run};
use segments::Plan;
use survey::{Section, Survey};

/// The only module name guests may import from.
pub const PREVIEW1: &str = "wasi_snapshot_preview1";

pub const WASM_PAGE_BYTES: u64 = 64 << 10;
/// Each costs 16 bytes in every instance.
const GLOBALS_MAX: u64 = 65_536;
/// No toolchain makes more than a few; the engine is told the same bound (`run.rs`).
pub const TABLES_MAX: usize = 64;
/// Elements of all tables together at the start; each costs 8 bytes in every instance.
const TABLE_ELEMENTS_MAX: u64 = 1_000_000;

const SECTION_FUNCTION: u8 = 3;
const SECTION_TABLE: u8 = 4;
const SECTION_EXPORT: u8 = 7;
const SECTION_START: u8 = 8;
const SECTION_CODE: u8 = 10;
const SECTION_DATA: u8 = 11;
const SECTION_DATA_COUNT: u8 = 12;

/// Why a module cannot run here: one sentence without a full stop, to follow the module's name and a colon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) fn refuse<T>(sentence: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(sentence.into()))
}

fn invalid(error: BinaryReaderError) -> Refusal {
    Refusal(format!("is not valid WebAssembly: {error}"))
}

/// The preview 1 functions that the host provides: name to signature as in `sandbox/guest.hpp` ("iIi:i").
#[derive(Default)]
pub struct HostFunctions(HashMap<String, String>);

impl HostFunctions {
    pub fn add(&mut self, name: &str, signature: &str) {
        self.0.insert(name.to_owned(), signature.to_owned());
    }

    fn signature(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `_start`: runs once and returns.
    Command,
    /// `_initialize`: nothing else is called.
    Reactor,
}

impl Entry {
    pub fn export(self) -> &'static str {
        match self {
            Entry::Command => "_start",
            Entry::Reactor => "_initialize",
        }
    }
}

#[derive(Debug)]
pub struct Rewritten {
    pub wasm: Vec<u8>,
    pub image: Image,
    pub entry: Entry,
    pub memory_pages_min: u64,
    pub memory_pages_max: u64,
}

/// `memory_bytes_max`: the largest initial memory that is accepted.
pub fn rewrite(wasm: &[u8], host: &HostFunctions, memory_bytes_max: u64) -> Result<Rewritten, Refusal> {
    refuse_other_formats(wasm)?;
    let survey = Survey::of(wasm).map_err(invalid)?;
    refuse_other_memories(&survey)?;
    validate(wasm)?;
    check_imports(&survey, host)?;
    check_sizes(&survey, memory_bytes_max)?;
    let (entry, entry_function) = check_exports(&survey)?;

    let memory = survey.memories[0];
    let (plan, image) = segments::plan(&survey, memory.initial * WASM_PAGE_BYTES).map_err(invalid)?;
    let tables = if survey.uses_tables().map_err(invalid)? { Tables::Kept } else { Tables::LeftOut };
    let result = encode(wasm, &survey, &plan, tables, entry_function);
    Validator::new_with_features(FEATURES)
        .validate_all(&result)
        .map_err(|error| Refusal(format!("could not be rewritten (a defect of tollgate): {error}")))?;
    Ok(Rewritten {
        wasm: result,
        image,
        entry,
        memory_pages_min: memory.initial,
        memory_pages_max: memory.maximum.unwrap_or(65_536),
    })
}

fn refuse_other_formats(wasm: &[u8]) -> Result<(), Refusal> {
    if wasm.starts_with(b"\0asm\x01\0\0\0") {
        return Ok(());
    }
    if wasm.starts_with(b"\0asm") && wasm.get(6..8) == Some(&[1, 0]) {
        return refuse("is a component: components come later, build a core WASI preview 1 module");
    }
    if wasm.starts_with(b"\x7fELF") {
        return refuse(
            "is compiled code and not a WebAssembly module: code from elsewhere needs --trust-precompiled",
        );
    }
    if wasm.trim_ascii_start().starts_with(b"(module") {
        return refuse("is WebAssembly text: turn it into a binary module first, for example with wat2wasm");
    }
    refuse("is not a WebAssembly module: it does not begin with \\0asm and version 1")
}

fn refuse_other_memories(survey: &Survey) -> Result<(), Refusal> {
    let imported = survey.imports.iter().filter(|import| matches!(import.ty, wasmparser::TypeRef::Memory(_)));
    if survey.memories.len() + imported.count() > 1 {
        return refuse("has more than one memory (multi-memory): tollgate runs modules with exactly one");
    }
    for memory in survey.all_memories() {
        if memory.memory64 {
            return refuse("has a 64-bit memory (memory64): tollgate runs modules with a 32-bit memory");
        }
        if memory.shared {
            return refuse("has a shared memory (threads): tollgate gives every request a memory of its own");
        }
    }
    Ok(())
}

/// Validates under the engine's features; names the proposal when that is all that is missing.
fn validate(wasm: &[u8]) -> Result<(), Refusal> {
    let valid_under =
        |features: WasmFeatures| Validator::new_with_features(features).validate_all(wasm).map(|_types| ());
    let Err(error) = valid_under(FEATURES) else { return Ok(()) };
    if valid_under(WasmFeatures::all()).is_err() {
        return Err(invalid(error));
    }
    let needed: Vec<String> = WasmFeatures::all()
        .difference(FEATURES)
        .iter_names()
        .filter(|(_, feature)| valid_under(WasmFeatures::all().difference(*feature)).is_err())
        .map(|(name, _)| proposal(name))
        .collect();
    let needed = if needed.is_empty() { error.to_string() } else { needed.join(", ") };
    refuse(format!("needs WebAssembly features that tollgate does not enable: {needed}"))
}

/// What people call the feature that wasmparser names `flag`.
fn proposal(flag: &str) -> String {
    match flag {
        "GC_TYPES" => "externref".to_owned(),
        other => other.to_lowercase().replace('_', "-"),
    }
}

fn check_imports(survey: &Survey, host: &HostFunctions) -> Result<(), Refusal> {
    for import in &survey.imports {
        let full_name = format!("{}.{}", import.module, import.name);
        if import.module.starts_with("wasi:") {
            return refuse(format!(
                "imports {full_name}, which belongs to components: components come later"
            ));
        }
        let (PREVIEW1, wasmparser::TypeRef::Func(type_index)) = (import.module, import.ty) else {
            return refuse(format!(
                "has the unknown import {full_name}: only functions of {PREVIEW1} are provided"
            ));
        };
        let Some(expected) = host.signature(import.name) else {
            return refuse(format!(
                "has the unknown import {full_name}: WASI preview 1 has no such function"
            ));
        };
        let found = survey.signature(type_index);
        if found != expected {
            return refuse(format!(
                "imports {full_name} with the signature {found}, where WASI has {expected}"
            ));
        }
    }
    Ok(())
}

fn check_sizes(survey: &Survey, memory_bytes_max: u64) -> Result<(), Refusal> {
    let Some(memory) = survey.memories.first() else {
        return refuse("has no memory: WASI functions need one, exported as `memory`");
    };
    let bytes = memory.initial * WASM_PAGE_BYTES;
    if bytes > memory_bytes_max {
        return refuse(format!(
            "starts with {bytes} bytes of memory, more than the limit of {memory_bytes_max}"
        ));
    }
    if survey.globals > GLOBALS_MAX {
        return refuse(format!("has {} globals, more than the limit of {GLOBALS_MAX}", survey.globals));
    }
    if survey.tables > TABLES_MAX {
        return refuse(format!("has {} tables, more than the limit of {TABLES_MAX}", survey.tables));
    }
    if survey.table_elements > TABLE_ELEMENTS_MAX {
        return refuse(format!(
            "starts with {} table elements, more than the limit of {TABLE_ELEMENTS_MAX}",
            survey.table_elements
        ));
    }
    Ok(())
}

/// The entry point and its function's index.
fn check_exports(survey: &Survey) -> Result<(Entry, u32), Refusal> {
    let find = |name: &str| survey.exports.iter().find(|export| export.name == name);
    if find("memory").is_none_or(|export| export.kind != ExternalKind::Memory) {
        return refuse("does not export its memory as `memory`");
    }
    let (entry, export) = match (find("_start"), find("_initialize")) {
        (Some(start), _) => (Entry::Command, start),
        (None, Some(initialize)) => (Entry::Reactor, initialize),
        (None, None) => return refuse("has no entry point: neither _start nor _initialize is exported"),
    };
    let signature = match export.kind {
        ExternalKind::Func => survey.function_signature(export.index),
        _ => return refuse(format!("exports {} as something else than a function", export.name)),
    };
    if signature != ":" {
        return refuse(format!("exports {} with the signature {signature}, where it must be :", export.name));
    }
    Ok((entry, export.index))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tables {
    Kept,
    LeftOut,
}

/// Copies the module, changing only start, data and unused tables. Custom sections (names, debug information,
/// producers) are left out: nothing reads them at run time.
fn encode(wasm: &[u8], survey: &Survey, plan: &Plan, tables: Tables, entry: u32) -> Vec<u8> {
    // A module with a start function gets one more function, which calls both.
    let both = survey.start.map(|start| (start, survey.functions()));
    let mut module = Module::new();
    for Section { id, range } in &survey.sections {
        let copied = RawSection { id: *id, data: &wasm[range.clone()] };
        match (*id, both) {
            (SECTION_FUNCTION, Some(_)) => module.section(&functions_with_one_like(survey, entry)),
            (SECTION_CODE, Some((start, _))) => {
                module.section(&code_with_calls(wasm, survey, [start, entry]))
            }
            (SECTION_EXPORT, _) => {
                module.section(&copied);
                module.section(&StartSection { function_index: both.map_or(entry, |(_, added)| added) })
            }
            (SECTION_START, _) => &mut module,
            (SECTION_TABLE, _) if tables == Tables::LeftOut => &mut module,
            (SECTION_DATA_COUNT | SECTION_DATA, _) if plan.is_empty() => &mut module,
            (SECTION_DATA_COUNT, _) => module.section(&DataCountSection { count: plan.len() }),
            (SECTION_DATA, _) => module.section(&plan.encode(wasm, survey)),
            _ => module.section(&copied),
        };
    }
    module.finish()
}

fn functions_with_one_like(survey: &Survey, function: u32) -> FunctionSection {
    let mut section = FunctionSection::new();
    for ty in survey.defined_function_types() {
        section.function(*ty);
    }
    section.function(survey.type_of_function(function));
    section
}

fn code_with_calls(wasm: &[u8], survey: &Survey, callees: [u32; 2]) -> CodeSection {
    let mut section = CodeSection::new();
    for body in &survey.bodies {
        section.raw(&wasm[body.range()]);
    }
    let mut function = Function::new([]);
    for callee in callees {
        function.instructions().call(callee);
    }
    function.instructions().end();
    section.function(&function);
    section
}

#[cfg(test)]
mod tests;
