//! Which data segments move into the image and which stay, and what becomes the start function.
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
    let result = try_wat(&command(r#"(data (i32.const 0) "a") (func (drop (i64.const 0x08fc)))"#)).unwrap();
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
