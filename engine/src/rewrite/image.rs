//! The initial content of a memory, kept by the pages that are not all zero.
use std::collections::BTreeMap;

pub const PAGE_BYTES: usize = 4096;
type Page = [u8; PAGE_BYTES];

/// Consecutive pages with content. `offset` is a multiple of [`PAGE_BYTES`], and so is the length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub offset: u64,
    pub bytes: Vec<u8>,
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Image {
    pages: BTreeMap<u64, Box<Page>>,
}

impl Image {
    /// Later writes win, as later segments do. The caller has checked that the range lies inside the memory.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = (at % PAGE_BYTES as u64) as usize;
            let (piece, after) = rest.split_at(rest.len().min(PAGE_BYTES - within));
            let page = self.pages.entry(at / PAGE_BYTES as u64).or_insert_with(|| Box::new([0; PAGE_BYTES]));
            page[within..within + piece.len()].copy_from_slice(piece);
            at += piece.len() as u64;
            rest = after;
        }
    }

    pub fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (number, page) in self.pages.iter().filter(|(_, page)| page.iter().any(|byte| *byte != 0)) {
            let offset = number * PAGE_BYTES as u64;
            match runs.last_mut() {
                Some(last) if last.offset + last.bytes.len() as u64 == offset => {
                    last.bytes.extend_from_slice(&page[..]);
                }
                _ => runs.push(Run { offset, bytes: page.to_vec() }),
            }
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_over_a_page_border_lands_in_both_pages_and_makes_one_run() {
        let mut image = Image::default();
        image.write(4094, b"abcd");
        let runs = image.runs();
        assert_eq!(runs.len(), 1);
        assert_eq!(runs[0].offset, 0);
        assert_eq!(runs[0].bytes.len(), 2 * PAGE_BYTES);
        assert_eq!(&runs[0].bytes[4094..4098], b"abcd");
    }

    #[test]
    fn later_writes_win_and_pages_of_zeros_are_no_content() {
        let mut image = Image::default();
        image.write(8192, b"old");
        image.write(8192, b"\0\0\0");
        assert!(image.runs().is_empty());
        image.write(8193, b"n");
        assert_eq!(image.runs()[0].offset, 8192);
        assert_eq!(&image.runs()[0].bytes[..3], b"\0n\0");
    }
}
