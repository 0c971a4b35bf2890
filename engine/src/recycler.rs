//! The crate's allocator: the system's, with short per-thread lists of freed blocks in front of it.
//!
//! Each request makes and drops the same three dozen objects (store, instances, fiber, boxes). glibc keeps blocks up
//! to 1 KiB at hand per thread; the store and its instances are larger and took a quarter of a fresh sandbox's time
//! in its general path. Here a block of up to 4 KiB goes into a list of its size class and comes back from it.
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::ptr::null_mut;

const CLASS_BYTES: usize = 64;
const CLASSES: usize = 64; // blocks up to 4 KiB
const ALIGN_MAX: usize = 16; // what the system gives anyway
/// Blocks kept per class and thread; with all classes full about 2 MiB.
const KEPT_MAX: u32 = 16;

struct Free {
    next: *mut Free,
}

#[derive(Clone, Copy)]
struct Class {
    head: *mut Free,
    count: u32,
}

thread_local! {
    // Constant, and nothing to drop: reached without a check, also while a thread ends.
    static LISTS: UnsafeCell<[Class; CLASSES + 1]> =
        const { UnsafeCell::new([Class { head: null_mut(), count: 0 }; CLASSES + 1]) };
}

pub struct Recycler;

fn class_of(layout: Layout) -> Option<usize> {
    (layout.size() <= CLASSES * CLASS_BYTES && layout.align() <= ALIGN_MAX)
        .then(|| layout.size().div_ceil(CLASS_BYTES).max(1))
}

fn block_layout(class: usize) -> Layout {
    // SAFETY: a nonzero power of two, and a small size.
    unsafe { Layout::from_size_align_unchecked(class * CLASS_BYTES, ALIGN_MAX) }
}

/// The list of one class, of this thread. Nobody else holds it: the functions below call nothing that allocates.
fn with_list<R>(class: usize, use_list: impl FnOnce(&mut Class) -> R) -> R {
    // SAFETY: this thread's, and not borrowed by a caller further up.
    LISTS.with(|lists| use_list(unsafe { &mut (*lists.get())[class] }))
}

// SAFETY: every block of a class has the class's size and alignment, whether it is new or kept.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout) else { return unsafe { System.alloc(layout) } };
        let kept = with_list(class, |list| {
            let block = list.head;
            if !block.is_null() {
                // SAFETY: a kept block begins with a Free.
                list.head = unsafe { (*block).next };
                list.count -= 1;
            }
            block
        });
        if kept.is_null() { unsafe { System.alloc(block_layout(class)) } } else { kept.cast() }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(class) = class_of(layout) else { return unsafe { System.dealloc(block, layout) } };
        let kept = with_list(class, |list| {
            let room = list.count < KEPT_MAX;
            if room {
                let block = block.cast::<Free>();
                // SAFETY: the block is ours, at least 64 bytes, aligned to 16.
                unsafe { (*block).next = list.head };
                list.head = block;
                list.count += 1;
            }
            room
        });
        if !kept {
            unsafe { System.dealloc(block, block_layout(class)) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if class_of(layout).is_none() {
            return unsafe { System.alloc_zeroed(layout) };
        }
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() {
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
        match (class_of(layout), class_of(wanted)) {
            (None, None) => unsafe { System.realloc(block, layout, size) },
            (Some(old), Some(new)) if old == new => block,
            _ => {
                let moved = unsafe { self.alloc(wanted) };
                if !moved.is_null() {
                    unsafe {
                        moved.copy_from_nonoverlapping(block, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                }
                moved
            }
        }
    }
}
