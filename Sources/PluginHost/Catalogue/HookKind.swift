/// The hooks by number, for those who look one up at each call.
enum HookKind: Int, CaseIterable, Sendable {
  case mmioSPTEMask, spteLayout, memoryType, mappingLevel, faultPolicy, gfnAccess, prefetchWindow
  case zapPolicy, floodThreshold, nxRecovery, mmioRead, mmioWrite, onEvent
}
