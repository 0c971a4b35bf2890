//! Which tables are left out.
use super::*;

fn tables_left(fields: &str) -> usize {
    Survey::of(&try_wat(&command(fields)).unwrap().wasm).unwrap().tables
}

#[test]
fn a_table_that_nothing_uses_is_left_out() {
    assert_eq!(tables_left("(table 1 1 funcref)"), 0);
    assert_eq!(tables_left("(table 1 funcref) (table 7 9 funcref) (func $other (drop (i32.const 1)))"), 0);
}

#[test]
fn a_table_stays_when_it_has_elements_or_is_exported() {
    assert_eq!(tables_left("(table 2 funcref) (elem (i32.const 0) $f) (func $f)"), 1);
    assert_eq!(tables_left("(table 2 funcref) (elem declare func $f) (func $f)"), 1);
    assert_eq!(tables_left(r#"(table (export "table") 2 funcref)"#), 1);
}

#[test]
fn a_table_stays_when_any_instruction_names_it() {
    for instruction in [
        "(call_indirect (i32.const 0))",
        "(return_call_indirect (i32.const 0))",
        "(drop (table.get 0 (i32.const 0)))",
        "(table.set 0 (i32.const 0) (ref.null func))",
        "(drop (table.size 0))",
        "(drop (table.grow 0 (ref.null func) (i32.const 1)))",
        "(table.fill 0 (i32.const 0) (ref.null func) (i32.const 0))",
        "(table.copy 0 0 (i32.const 0) (i32.const 0) (i32.const 0))",
    ] {
        assert_eq!(tables_left(&format!("(table 2 funcref) (func {instruction})")), 1, "{instruction}");
    }
}
