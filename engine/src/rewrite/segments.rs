//! Which data segments move into the image, which stay, and under what index.
//!
//! Instantiation applies active segments in order and traps at the first that is out of bounds. So a segment moves
//! only while every active segment before it moved too: from the first one that must stay (its offset is not a
//! constant, or it does not fit), all later ones stay.
//!
//! `memory.init` and `data.drop` name segments by index. After instantiation an active segment is as good as dropped,
//! so a moved one that can be named is replaced by an empty passive one, and all others are deleted: even an empty
//! active segment costs time at each instantiation.
use wasm_encoder::DataSection;
use wasmparser::{ConstExpr, Data, DataKind, Operator, Result};

use super::{Image, Survey};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Stays,
    Emptied, // keeps its index as an empty passive segment
    Deleted,
}

pub struct Plan(Vec<Fate>);

impl Plan {
    pub fn len(&self) -> u32 {
        self.0.iter().filter(|fate| **fate != Fate::Deleted).count() as u32
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encode(&self, wasm: &[u8], survey: &Survey) -> DataSection {
        let mut section = DataSection::new();
        for (segment, fate) in survey.data.iter().zip(&self.0) {
            match fate {
                Fate::Stays => {
                    section.raw(&wasm[segment.range.clone()]);
                }
                Fate::Emptied => {
                    section.passive([]);
                }
                Fate::Deleted => {}
            }
        }
        section
    }
}

/// The module is valid; `memory_bytes` is the initial size of its memory.
pub fn plan(survey: &Survey, memory_bytes: u64) -> Result<(Plan, Image)> {
    let named = highest_named_segment(survey)?;
    let mut image = Image::default();
    let mut all_moved_so_far = true;
    let mut fates = Vec::with_capacity(survey.data.len());
    for (index, segment) in survey.data.iter().enumerate() {
        let fate = match (&segment.kind, movable_to(segment, memory_bytes)) {
            (DataKind::Active { .. }, Some(offset)) if all_moved_so_far => {
                image.write(offset, segment.data);
                let can_be_named = named.is_some_and(|highest| index as u32 <= highest);
                if can_be_named { Fate::Emptied } else { Fate::Deleted }
            }
            (DataKind::Active { .. }, _) => {
                all_moved_so_far = false;
                Fate::Stays
            }
            (DataKind::Passive, _) => Fate::Stays,
        };
        fates.push(fate);
    }
    Ok((Plan(fates), image))
}

fn movable_to(segment: &Data, memory_bytes: u64) -> Option<u64> {
    let DataKind::Active { memory_index: 0, offset_expr } = &segment.kind else { return None };
    let offset = u64::from(constant(offset_expr)?);
    let end = offset + segment.data.len() as u64;
    (end <= memory_bytes).then_some(offset)
}

/// The value of an offset that depends on nothing but constants (extended constant expressions included).
fn constant(expression: &ConstExpr) -> Option<u32> {
    let mut stack: Vec<i32> = Vec::new();
    for operator in expression.get_operators_reader() {
        let value = match operator.ok()? {
            Operator::I32Const { value } => value,
            Operator::I32Add => stack.pop()?.wrapping_add(stack.pop()?),
            Operator::I32Mul => stack.pop()?.wrapping_mul(stack.pop()?),
            Operator::I32Sub => {
                let subtrahend = stack.pop()?;
                stack.pop()?.wrapping_sub(subtrahend)
            }
            Operator::End => continue,
            _ => return None,
        };
        stack.push(value);
    }
    match stack[..] {
        [value] => Some(value as u32),
        _ => None,
    }
}

/// The largest index that any instruction names. Found by decoding: bytes that look like an instruction may be
/// part of a constant. A module without a data count section has no such instruction.
fn highest_named_segment(survey: &Survey) -> Result<Option<u32>> {
    if !survey.has_data_count {
        return Ok(None);
    }
    let mut highest = None;
    for body in &survey.bodies {
        for operator in body.get_operators_reader()? {
            if let Operator::MemoryInit { data_index, .. } | Operator::DataDrop { data_index } = operator? {
                highest = highest.max(Some(data_index));
            }
        }
    }
    Ok(highest)
}
