/// The files of a new plugin.
struct PluginTemplate {
  let name: String
  let language: PluginNew.Language

  /// Names and texts.
  var files: [(name: String, text: String)] {
    switch language {
    case .c: [("\(name).c", source(isCxx: false)), ("Makefile", makefile(isCxx: false))]
    case .cxx: [("\(name).cpp", source(isCxx: true)), ("Makefile", makefile(isCxx: true))]
    case .rust: [("\(name).rs", rust), ("Makefile", rustMakefile)]
    }
  }

  private func makefile(isCxx: Bool) -> String {
    let (variable, compiler, standard, suffix) =
      isCxx ? ("CXX", "c++", "c++17", "cpp") : ("CC", "cc", "c11", "c")
    return """
      # Where mmu_plugin.h is: MMU_PLUGIN_INCLUDE=folder, else as pkg-config says.
      \(variable) ?= \(compiler)
      ifdef MMU_PLUGIN_INCLUDE
      INCLUDE := -I$(MMU_PLUGIN_INCLUDE)
      else
      INCLUDE := $(shell pkg-config --cflags mmu-plugin)
      endif
      FLAGS := -std=\(standard) -O2 -fPIC -shared -Wall -Wextra -fvisibility=hidden

      \(name).so: \(name).\(suffix)
      \t$(\(variable)) $(FLAGS) $(INCLUDE) -o $@ $<

      """
  }

  private var rustMakefile: String {
    """
    RUSTC ?= rustc

    \(name).so: \(name).rs
    \t$(RUSTC) --edition 2021 --crate-type cdylib -O -C panic=abort -o $@ $<

    """
  }

  private func source(isCxx: Bool) -> String {
    let cast = isCxx ? "static_cast<struct range *>(context)" : "(struct range *)context"
    let allocate =
      isCxx
      ? "static_cast<struct range *>(calloc(1, sizeof(struct range)))" : "calloc(1, sizeof *range)"
    let manifest =
      isCxx
      ? """
      const struct mmu_plugin mmu_plugin_manifest = {
          MMU_PLUGIN_MAGIC, MMU_PLUGIN_ABI_VERSION, sizeof(struct mmu_plugin), "\(name)", "0.1",
          MMU_PLUGIN_THREAD_SAFE, start, stop, hooks, sizeof hooks / sizeof hooks[0], sizeof hooks[0],
      };
      """
      : """
      const struct mmu_plugin mmu_plugin_manifest = {
          MMU_PLUGIN_HEADER,
          .name = "\(name)",
          .version = "0.1",
          .flags = MMU_PLUGIN_THREAD_SAFE,
          .init = start,
          .fini = stop,
          .hooks = hooks,
          .hook_count = sizeof hooks / sizeof hooks[0],
          .hook_size = sizeof hooks[0],
      };
      """
    let linkage = isCxx ? "extern \"C\" " : ""
    return """
      /*
       * \(name): nobody writes to a range of guest-physical addresses.
       *
       * Settings: start and size, numbers as C writes them.
       */
      #include <stdlib.h>

      #include "mmu_plugin.h"

      struct range {
        const struct mmu_plugin_host *host;
        uint64_t start, size;
      };

      static uint64_t number(const struct mmu_plugin_host *host, const char *key) {
        const char *text = host->setting(host->host, key);
        return text ? strtoull(text, 0, 0) : 0;
      }

      static int32_t start(const struct mmu_plugin_host *host, void **context) {
        struct range *range;
        if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
        range = \(allocate);
        if (!range) return MMU_PLUGIN_FAILED;
        range->host = host;
        range->start = number(host, "start");
        range->size = number(host, "size");
        *context = range;
        return MMU_PLUGIN_OK;
      }

      static void stop(void *context) { free(context); }

      /* Of all that the hook offers, take what you need: `mmu plugin list-hooks` lists it. */
      \(linkage)MMU_PLUGIN_EXPORT struct mmu_plugin_verdict \(name)_verdict(
          void *context, uint64_t gpa, uint32_t access) {
        const struct range *range = \(cast);
        struct mmu_plugin_verdict answer = {MMU_PLUGIN_PROCEED, 0, 0};
        if (access == MMU_PLUGIN_WRITE && gpa - range->start < range->size) {
          range->host->count(range->host->host, "denied", 1);
          answer.verdict = MMU_PLUGIN_DENY;
        }
        return answer;
      }

      static const struct mmu_plugin_hook hooks[] = {
          {"fault_policy", "\(name)_verdict",
           "{u32 verdict; u32 vector; u32 error;}(ptr context, u64 gpa, u32 access)"},
      };

      \(manifest)

      """
  }

  private var rust: String {
    """
    //! \(name): nobody writes to a range of guest-physical addresses.
    //!
    //! Settings: start and size, decimal or with 0x.

    use std::ffi::{c_char, c_void, CStr};

    /// What the host does for a plugin: `struct mmu_plugin_host` of mmu_plugin.h.
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
    pub struct Verdict {
        verdict: u32,
        vector: u32,
        error: u32,
    }

    struct Range {
        host: *const Host,
        start: u64,
        size: u64,
    }

    const OK: i32 = 0;
    const DECLINED: i32 = 1;
    const WRITE: u32 = 1;
    const PROCEED: u32 = 0;
    const DENY: u32 = 3;

    fn number(host: &Host, key: &CStr) -> u64 {
        let text = (host.setting)(host.host, key.as_ptr());
        if text.is_null() {
            return 0;
        }
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).unwrap_or(0),
            None => text.parse().unwrap_or(0),
        }
    }

    extern "C" fn start(host: *const Host, context: *mut *mut c_void) -> i32 {
        let table = unsafe { &*host };
        if (table.struct_size as usize) < std::mem::size_of::<Host>() {
            return DECLINED;
        }
        let range = Range { host, start: number(table, c"start"), size: number(table, c"size") };
        unsafe { *context = Box::into_raw(Box::new(range)).cast() };
        OK
    }

    extern "C" fn stop(context: *mut c_void) {
        drop(unsafe { Box::from_raw(context.cast::<Range>()) });
    }

    /// Of all that the hook offers, take what you need: `mmu plugin list-hooks` lists it.
    #[no_mangle]
    pub extern "C" fn \(name)_verdict(context: *mut c_void, gpa: u64, access: u32) -> Verdict {
        let range = unsafe { &*context.cast::<Range>() };
        if access == WRITE && gpa.wrapping_sub(range.start) < range.size {
            let host = unsafe { &*range.host };
            (host.count)(host.host, c"denied".as_ptr(), 1);
            return Verdict { verdict: DENY, vector: 0, error: 0 };
        }
        Verdict { verdict: PROCEED, vector: 0, error: 0 }
    }

    static HOOKS: Hooks = Hooks([Hook {
        name: c"fault_policy".as_ptr(),
        symbol: c"\(name)_verdict".as_ptr(),
        signature: c"{u32 verdict; u32 vector; u32 error;}(ptr context, u64 gpa, u32 access)".as_ptr(),
    }]);

    #[no_mangle]
    #[allow(non_upper_case_globals)]
    pub static mmu_plugin_manifest: Manifest = Manifest {
        magic: 0x0047_554c_5055_4d4d,
        abi_version: 1,
        struct_size: std::mem::size_of::<Manifest>() as u32,
        name: c"\(name)".as_ptr(),
        version: c"0.1".as_ptr(),
        flags: 1, // may be called on several threads at once
        init: start,
        fini: stop,
        hooks: HOOKS.0.as_ptr(),
        hook_count: 1,
        hook_size: std::mem::size_of::<Hook>() as u32,
    };

    """
  }
}
