// mmu_plugin.rs: what mmu_plugin.h declares, for plugins in Rust; nothing but the standard library.
//
// SPDX-License-Identifier: Apache-2.0
//
// A plugin includes it as a module:
//
//   mod mmu_plugin { include!(concat!(env!("MMU_PLUGIN_INCLUDE"), "/mmu_plugin.rs")); }
//
// What each thing means stands in mmu_plugin.h; names are the same without their prefix.
#[allow(dead_code)]
mod interface {
    use std::ffi::{c_char, c_void, CStr, CString};

    pub const MAGIC: u64 = 0x0047_554c_5055_4d4d;
    pub const ABI_VERSION: u32 = 1;
    pub const THREAD_SAFE: u64 = 1;

    pub const OK: i32 = 0;
    pub const FAILED: i32 = -1;
    pub const DECLINED: i32 = 1;

    pub const READ: u32 = 0;
    pub const WRITE: u32 = 1;
    pub const FETCH: u32 = 2;

    pub const MAY_READ: u32 = 1;
    pub const MAY_WRITE: u32 = 2;
    pub const MAY_EXECUTE: u32 = 4;
    pub const MAY_USER: u32 = 8;

    pub const PROCEED: u32 = 0;
    pub const EMULATE: u32 = 1;
    pub const INJECT: u32 = 2;
    pub const DENY: u32 = 3;
    pub const EXIT: u32 = 4;

    pub const UC: u32 = 0;
    pub const WC: u32 = 1;
    pub const WT: u32 = 4;
    pub const WP: u32 = 5;
    pub const WB: u32 = 6;
    pub const DEFAULT_TYPE: u32 = 0xffff_ffff;

    pub const DEBUG: i32 = 0;
    pub const INFO: i32 = 1;
    pub const WARNING: i32 = 2;
    pub const ERROR: i32 = 3;

    #[repr(C)]
    pub struct MmioMask {
        pub value: u64,
        pub mask: u64,
        pub access: u64,
    }

    #[repr(C)]
    pub struct Verdict {
        pub verdict: u32,
        pub vector: u32,
        pub error: u32,
    }

    #[repr(C)]
    pub struct MemoryType {
        pub kind: u32,
        pub ignore_pat: u32,
    }

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

    impl Host {
        /// Whether the host knows every function of this table; else `init` should decline.
        pub fn is_whole(&self) -> bool {
            self.struct_size as usize >= std::mem::size_of::<Host>()
        }

        /// One line for the user.
        pub fn log(&self, severity: i32, line: &str) {
            let line = CString::new(line).unwrap_or_default();
            (self.log)(self.host, severity, line.as_ptr());
        }

        /// Copies guest-physical memory; all of it or nothing.
        pub fn read_guest(&self, gpa: u64, bytes: &mut [u8]) -> bool {
            let (to, size) = (bytes.as_mut_ptr().cast(), bytes.len() as u64);
            (self.read_guest)(self.host, gpa, to, size) == OK
        }

        /// Writes guest-physical memory; all of it or nothing.
        pub fn write_guest(&self, gpa: u64, bytes: &[u8]) -> bool {
            let (from, size) = (bytes.as_ptr().cast(), bytes.len() as u64);
            (self.write_guest)(self.host, gpa, from, size) == OK
        }

        /// What a vCPU's page tables say.
        pub fn translate(&self, vcpu: u32, gva: u64, access: u32, user: bool) -> Option<u64> {
            let mut gpa = 0;
            let status = (self.translate)(self.host, vcpu, gva, access, user.into(), &mut gpa);
            (status == OK).then_some(gpa)
        }

        /// Adds to a counter of the plugin's own.
        pub fn count(&self, counter: &CStr, amount: u64) {
            (self.count)(self.host, counter.as_ptr(), amount);
        }

        /// A setting that the user gave this plugin.
        pub fn setting(&self, key: &str) -> Option<String> {
            let key = CString::new(key).ok()?;
            let text = (self.setting)(self.host, key.as_ptr());
            if text.is_null() {
                return None;
            }
            Some(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        }
    }

    #[repr(C)]
    pub struct Hook {
        pub name: *const c_char,
        pub symbol: *const c_char,
        pub signature: *const c_char,
    }

    /// The hooks of a manifest.
    pub struct Hooks<const COUNT: usize>(pub [Hook; COUNT]);

    #[repr(C)]
    pub struct Manifest {
        pub magic: u64,
        pub abi_version: u32,
        pub struct_size: u32,
        pub name: *const c_char,
        pub version: *const c_char,
        pub flags: u64,
        pub init: extern "C" fn(*const Host, *mut *mut c_void) -> i32,
        pub fini: extern "C" fn(*mut c_void),
        pub hooks: *const Hook,
        pub hook_count: u32,
        pub hook_size: u32,
    }

    // The pointers are to constants of the plugin's object.
    unsafe impl Sync for Manifest {}
    unsafe impl<const COUNT: usize> Sync for Hooks<COUNT> {}

    /// A number: decimal, or hex with 0x.
    pub fn number(text: &str) -> Option<u64> {
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    }
}
pub use interface::*;
