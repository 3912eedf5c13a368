//! cache_types: memory types by address, in Rust without any crate.
//!
//! SPDX-License-Identifier: Apache-2.0
//!
//! Settings, each a range such as `0xc0000000-0xd0000000`:
//!   uncached         UC, and the guest's PAT is not asked
//!   write-combining  WC, as for a framebuffer
//!   write-through    WT
//!
//! Counts typed.

use std::ffi::{c_char, c_void, CStr, CString};

/// The host's table, up to `setting`; see `mmu_plugin.h`.
#[repr(C)]
pub struct Host {
    abi_version: u32,
    struct_size: u32,
    host: *mut c_void,
    log: extern "C" fn(*mut c_void, i32, *const c_char),
    read_guest: extern "C" fn(*mut c_void, u64, *mut c_void, u64) -> i32,
    write_guest: extern "C" fn(*mut c_void, u64, *const c_void, u64) -> i32,
    translate: extern "C" fn(*mut c_void, u32, u64, u32, u32, *mut u64) -> i32,
    count: extern "C" fn(*mut c_void, *const c_char, u64),
    setting: extern "C" fn(*mut c_void, *const c_char) -> *const c_char,
}

#[repr(C)]
pub struct Hook {
    name: *const c_char,
    symbol: *const c_char,
    signature: *const c_char,
}

#[repr(C)]
pub struct Manifest {
    magic: u64,
    abi_version: u32,
    struct_size: u32,
    name: *const c_char,
    version: *const c_char,
    flags: u64,
    init: extern "C" fn(*const Host, *mut *mut c_void) -> i32,
    fini: extern "C" fn(*mut c_void),
    hooks: *const Hook,
    hook_count: u32,
    hook_size: u32,
}

// The pointers are to constants of this object.
unsafe impl Sync for Manifest {}
struct Hooks([Hook; 1]);
unsafe impl Sync for Hooks {}

#[repr(C)]
pub struct MemoryType {
    kind: u32,
    ignore_pat: u32,
}

const OK: i32 = 0;
const DECLINED: i32 = 1;
const THREAD_SAFE: u64 = 1;
const DEFAULT_TYPE: u32 = 0xffff_ffff;

struct Range {
    first: u64,
    end: u64,
    kind: u32,
}

struct Types {
    host: *const Host,
    ranges: Vec<Range>,
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn range(text: &str, kind: u32) -> Option<Range> {
    let (first, end) = text.split_once('-')?;
    let (first, end) = (number(first)?, number(end)?);
    if end <= first {
        return None;
    }
    Some(Range { first: first >> 12, end: (end - 1 >> 12) + 1, kind })
}

extern "C" fn start(host: *const Host, context: *mut *mut c_void) -> i32 {
    let table = unsafe { &*host };
    if (table.struct_size as usize) < std::mem::size_of::<Host>() {
        return DECLINED;
    }
    let mut types = Types { host, ranges: Vec::new() };
    for (key, kind) in [("uncached", 0), ("write-combining", 1), ("write-through", 4)] {
        let name = CString::new(key).unwrap_or_default();
        let value = (table.setting)(table.host, name.as_ptr());
        if value.is_null() {
            continue;
        }
        let text = unsafe { CStr::from_ptr(value) }.to_string_lossy();
        match range(&text, kind) {
            Some(range) => types.ranges.push(range),
            None => {
                let line = format!("setting {key}: '{text}' is not understood");
                let line = CString::new(line).unwrap_or_default();
                (table.log)(table.host, 3, line.as_ptr());
                return DECLINED;
            }
        }
    }
    unsafe { *context = Box::into_raw(Box::new(types)).cast() };
    OK
}

extern "C" fn stop(context: *mut c_void) {
    drop(unsafe { Box::from_raw(context.cast::<Types>()) });
}

#[no_mangle]
pub extern "C" fn cache_types(context: *mut c_void, gfn: u64) -> MemoryType {
    let types = unsafe { &*context.cast::<Types>() };
    for range in &types.ranges {
        if gfn >= range.first && gfn < range.end {
            let host = unsafe { &*types.host };
            (host.count)(host.host, c"typed".as_ptr(), 1);
            return MemoryType { kind: range.kind, ignore_pat: 1 };
        }
    }
    MemoryType { kind: DEFAULT_TYPE, ignore_pat: 0 }
}

static HOOKS: Hooks = Hooks([Hook {
    name: c"memory_type".as_ptr(),
    symbol: c"cache_types".as_ptr(),
    signature: c"{u32 type; u32 ignore_pat;}(ptr context, u64 gfn)".as_ptr(),
}]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static mmu_plugin_manifest: Manifest = Manifest {
    magic: 0x0047_554c_5055_4d4d,
    abi_version: 1,
    struct_size: std::mem::size_of::<Manifest>() as u32,
    name: c"cache_types".as_ptr(),
    version: c"1.0".as_ptr(),
    flags: THREAD_SAFE,
    init: start,
    fini: stop,
    hooks: HOOKS.0.as_ptr(),
    hook_count: 1,
    hook_size: std::mem::size_of::<Hook>() as u32,
};
