//! Memories and stacks from the host's callbacks (`tollgate_host_t`). The C API has the same hooks, with four more
//! boxes and a dozen more calls through pointers per request.
use std::ffi::c_void;
use std::ops::Range;
use std::ptr::{NonNull, null_mut};

use wasmtime_c_api::wasmtime::{
    Error, LinearMemory, MemoryCreator, MemoryType, Result, StackCreator, StackMemory, bail, format_err,
};

#[repr(C)]
#[derive(Clone, Copy)]
pub struct tollgate_host_t {
    pub env: *mut c_void,
    pub new_memory:
        unsafe extern "C" fn(env: *mut c_void, initial_bytes: usize, owner: *mut *mut c_void) -> *mut u8,
    pub grow_memory: unsafe extern "C" fn(owner: *mut c_void, bytes: usize) -> bool,
    pub drop_memory: unsafe extern "C" fn(owner: *mut c_void),
    pub new_stack: unsafe extern "C" fn(env: *mut c_void, bytes: usize, owner: *mut *mut c_void) -> *mut u8,
    pub drop_stack: unsafe extern "C" fn(owner: *mut c_void),
}
// SAFETY: an engine that was given a host is used by one thread; the engine's bounds ask for these all the same.
unsafe impl Send for tollgate_host_t {}
unsafe impl Sync for tollgate_host_t {}

/// What the host reserves for each memory: config.rs tells the engine the same.
const CAPACITY_BYTES: usize = 4 << 30;

struct Memory {
    base: NonNull<u8>,
    bytes: usize,
    owner: *mut c_void,
    host: tollgate_host_t,
}
// SAFETY: as for tollgate_host_t.
unsafe impl Send for Memory {}
unsafe impl Sync for Memory {}

// SAFETY: the host's memories are reserved for CAPACITY_BYTES with guards around them, and never move.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.bytes
    }
    fn byte_capacity(&self) -> usize {
        CAPACITY_BYTES
    }
    fn grow_to(&mut self, bytes: usize) -> Result<()> {
        // SAFETY: `owner` is what new_memory gave.
        if !unsafe { (self.host.grow_memory)(self.owner, bytes) } {
            bail!("the host refused to grow the memory");
        }
        self.bytes = bytes;
        Ok(())
    }
    fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: as in grow_to; once.
        unsafe { (self.host.drop_memory)(self.owner) }
    }
}

// SAFETY: see Memory.
unsafe impl MemoryCreator for tollgate_host_t {
    fn new_memory(
        &self,
        _ty: MemoryType,
        minimum: usize,
        _maximum: Option<usize>,
        reserved: Option<usize>,
        _guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if reserved.is_some_and(|bytes| bytes > CAPACITY_BYTES) {
            return Err("the engine was configured for larger memories than the host's".into());
        }
        let mut owner = null_mut();
        // SAFETY: the host's contract.
        match NonNull::new(unsafe { (self.new_memory)(self.env, minimum, &mut owner) }) {
            Some(base) => Ok(Box::new(Memory { base, bytes: minimum, owner, host: *self })),
            None => Err("the host has no memory to give".into()),
        }
    }
}

struct Stack {
    low: NonNull<u8>,
    bytes: usize,
    owner: *mut c_void,
    drop_stack: unsafe extern "C" fn(*mut c_void),
}
// SAFETY: as for tollgate_host_t.
unsafe impl Send for Stack {}
unsafe impl Sync for Stack {}

// SAFETY: the host's stacks are page-aligned and writable from `low` for `bytes`, with a guard below.
unsafe impl StackMemory for Stack {
    fn top(&self) -> *mut u8 {
        self.low.as_ptr().wrapping_add(self.bytes)
    }
    fn range(&self) -> Range<usize> {
        let low = self.low.as_ptr() as usize;
        low..low + self.bytes
    }
    fn guard_range(&self) -> Range<*mut u8> {
        null_mut()..null_mut()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: `owner` is what new_stack gave; once.
        unsafe { (self.drop_stack)(self.owner) }
    }
}

// SAFETY: see Stack.
unsafe impl StackCreator for tollgate_host_t {
    fn new_stack(&self, size: usize, _zeroed: bool) -> Result<Box<dyn StackMemory>, Error> {
        let mut owner = null_mut();
        // SAFETY: the host's contract.
        match NonNull::new(unsafe { (self.new_stack)(self.env, size, &mut owner) }) {
            Some(low) => Ok(Box::new(Stack { low, bytes: size, owner, drop_stack: self.drop_stack })),
            None => Err(format_err!("the host has no stack to give")),
        }
    }
}
