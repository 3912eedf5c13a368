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

use mmu_plugin::{Hook, Hooks, Host, Manifest, MemoryType};
use std::ffi::c_void;

mod mmu_plugin {
    include!(concat!(env!("MMU_PLUGIN_INCLUDE"), "/mmu_plugin.rs"));
}

struct Range {
    first: u64,
    end: u64,
    kind: u32,
}

struct Types {
    host: *const Host,
    ranges: Vec<Range>,
}

fn range(text: &str, kind: u32) -> Option<Range> {
    let (first, end) = text.split_once('-')?;
    let (first, end) = (mmu_plugin::number(first)?, mmu_plugin::number(end)?);
    if end <= first {
        return None;
    }
    Some(Range { first: first >> 12, end: (end - 1 >> 12) + 1, kind })
}

extern "C" fn start(host: *const Host, context: *mut *mut c_void) -> i32 {
    let table = unsafe { &*host };
    if !table.is_whole() {
        return mmu_plugin::DECLINED;
    }
    let mut types = Types { host, ranges: Vec::new() };
    for (key, kind) in [
        ("uncached", mmu_plugin::UC),
        ("write-combining", mmu_plugin::WC),
        ("write-through", mmu_plugin::WT),
    ] {
        let Some(text) = table.setting(key) else { continue };
        match range(&text, kind) {
            Some(range) => types.ranges.push(range),
            None => {
                let line = format!("setting {key}: '{text}' is not understood");
                table.log(mmu_plugin::ERROR, &line);
                return mmu_plugin::DECLINED;
            }
        }
    }
    unsafe { *context = Box::into_raw(Box::new(types)).cast() };
    mmu_plugin::OK
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
            host.count(c"typed", 1);
            return MemoryType { kind: range.kind, ignore_pat: 1 };
        }
    }
    MemoryType { kind: mmu_plugin::DEFAULT_TYPE, ignore_pat: 0 }
}

static HOOKS: Hooks<1> = Hooks([Hook {
    name: c"memory_type".as_ptr(),
    symbol: c"cache_types".as_ptr(),
    signature: c"{u32 type; u32 ignore_pat;}(ptr context, u64 gfn)".as_ptr(),
}]);

#[no_mangle]
#[allow(non_upper_case_globals)]
pub static mmu_plugin_manifest: Manifest = Manifest {
    magic: mmu_plugin::MAGIC,
    abi_version: mmu_plugin::ABI_VERSION,
    struct_size: std::mem::size_of::<Manifest>() as u32,
    name: c"cache_types".as_ptr(),
    version: c"1.0".as_ptr(),
    flags: mmu_plugin::THREAD_SAFE,
    init: start,
    fini: stop,
    hooks: HOOKS.0.as_ptr(),
    hook_count: 1,
    hook_size: std::mem::size_of::<Hook>() as u32,
};
