public import Paging
public import X86TDX

/// What a trust domain's guest did about a #VE.
public enum GuestCall: Sendable, Hashable {
  /// TDG.VP.VMCALL, and the host's answer.
  case host(TDVMCall, TDVMCallAnswer)
  /// TDG.MEM.PAGE.ACCEPT, and the module's answer.
  case accept(GPA, Level, TDXStatus)
}
