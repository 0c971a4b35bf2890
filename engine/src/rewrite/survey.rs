//! One pass over a module that notes what the rewrite needs. It believes nothing: indices are looked up, never
//! assumed, so it may run before validation.
use std::ops::Range;

use wasmparser::{
    Data, Export, ExternalKind, FuncType, FunctionBody, Import, MemoryType, Operator, Parser, Payload,
    Result, TypeRef, ValType,
};

pub struct Section {
    pub id: u8,
    pub range: Range<usize>,
}

#[derive(Default)]
pub struct Survey<'a> {
    pub sections: Vec<Section>, // without custom sections
    types: Vec<Option<FuncType>>,
    function_types: Vec<u32>, // imported functions first
    imported_functions: usize,
    pub imports: Vec<Import<'a>>,
    pub memories: Vec<MemoryType>, // defined, not imported
    pub globals: u64,
    pub tables: usize,
    pub table_elements: u64,
    has_element_segments: bool,
    pub exports: Vec<Export<'a>>,
    pub start: Option<u32>,
    pub data: Vec<Data<'a>>,
    pub has_data_count: bool,
    pub bodies: Vec<FunctionBody<'a>>,
}

impl<'a> Survey<'a> {
    pub fn of(wasm: &'a [u8]) -> Result<Survey<'a>> {
        let mut survey = Survey::default();
        for payload in Parser::new(0).parse_all(wasm) {
            survey.note(payload?)?;
        }
        Ok(survey)
    }

    fn note(&mut self, payload: Payload<'a>) -> Result<()> {
        if let Some((id, range)) = payload.as_section() {
            if id != 0 {
                self.sections.push(Section { id, range });
            }
        }
        match payload {
            Payload::TypeSection(reader) => {
                for group in reader {
                    for ty in group?.into_types() {
                        self.types.push(match ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(function) => Some(function),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(ty) | TypeRef::FuncExact(ty) = import.ty {
                        self.function_types.push(ty);
                        self.imported_functions += 1;
                    }
                    self.imports.push(import);
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.function_types.push(ty?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    self.tables += 1;
                    self.table_elements = self.table_elements.saturating_add(table?.ty.initial);
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader {
                    self.memories.push(memory?);
                }
            }
            Payload::ElementSection(reader) => self.has_element_segments = reader.count() > 0,
            Payload::GlobalSection(reader) => self.globals = u64::from(reader.count()),
            Payload::ExportSection(reader) => {
                for export in reader {
                    self.exports.push(export?);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::DataCountSection { .. } => self.has_data_count = true,
            Payload::DataSection(reader) => {
                for segment in reader {
                    self.data.push(segment?);
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            _ => {}
        }
        Ok(())
    }

    /// Whether anything could tell that the module's tables are there.
    pub fn uses_tables(&self) -> Result<bool> {
        if self.tables == 0 || self.has_element_segments {
            return Ok(self.tables > 0);
        }
        if self.exports.iter().any(|export| export.kind == ExternalKind::Table) {
            return Ok(true);
        }
        for body in &self.bodies {
            for operator in body.get_operators_reader()? {
                if names_a_table(&operator?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    pub fn all_memories(&self) -> impl Iterator<Item = MemoryType> + '_ {
        let imported = self.imports.iter().filter_map(|import| match import.ty {
            TypeRef::Memory(memory) => Some(memory),
            _ => None,
        });
        imported.chain(self.memories.iter().copied())
    }

    /// "iIi:i" for (i32, i64, i32) -> i32; "?" for a type that is no function.
    pub fn signature(&self, type_index: u32) -> String {
        let letters = |types: &[ValType]| -> String {
            let letter = |ty: &ValType| match ty {
                ValType::I32 => 'i',
                ValType::I64 => 'I',
                ValType::F32 => 'f',
                ValType::F64 => 'F',
                ValType::V128 => 'v',
                ValType::Ref(_) => 'r',
            };
            types.iter().map(letter).collect()
        };
        match self.types.get(type_index as usize) {
            Some(Some(function)) => format!("{}:{}", letters(function.params()), letters(function.results())),
            _ => "?".to_owned(),
        }
    }

    /// How many there are, imported or defined: the index of a next one.
    pub fn functions(&self) -> u32 {
        self.function_types.len() as u32
    }

    pub fn defined_function_types(&self) -> &[u32] {
        &self.function_types[self.imported_functions..]
    }

    /// Of a function that is there.
    pub fn type_of_function(&self, index: u32) -> u32 {
        self.function_types[index as usize]
    }

    pub fn function_signature(&self, function_index: u32) -> String {
        match self.function_types.get(function_index as usize) {
            Some(ty) => self.signature(*ty),
            None => "?".to_owned(),
        }
    }
}

fn names_a_table(operator: &Operator) -> bool {
    matches!(
        operator,
        Operator::CallIndirect { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::TableGet { .. }
            | Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableSize { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
    )
}
