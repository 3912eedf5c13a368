import Paging
import X86
import X86Guest

extension RuleBook {
  /// What is asked of the rights once the walk arrived (SPEC W8–W10, W19).
  var rightsRules: [AccessRule] {
    guard let leaf else {
      return [
        Self.notAsked(
          "Access rights", source: Self.rights,
          "rights are judged on the whole walk, and it did not arrive at a page")
      ]
    }
    if access.isShadowStack { return shadowStackRules(leaf) + [keyRule(leaf)] }
    return [userRule, writeRule, executeRule, smepRule, smapRule, keyRule(leaf)]
  }

  /// The entries, each with one flag.
  func values(_ flag: String, _ isSet: (ExplainedEntry) -> Bool) -> [AccessRule.Value] {
    granting.map { .init("\($0.name).\(flag)", isSet($0)) }
  }

  /// `PDE and PTE`.
  func names(_ entries: [ExplainedEntry]) -> String {
    entries.map(\.name).joined(separator: " and ")
  }

  private func setting(_ bit: Int, in entries: [ExplainedEntry]) -> [AccessChange] {
    entries.map { .entryBit(entry: $0, bit: bit) }
  }

  private var userRule: AccessRule {
    let name = "User/supervisor flag (U/S)"
    let refusing = granting.filter { !$0.isUser }
    guard access.isUser else {
      return Self.notAsked(name, source: Self.rights, "the access is a supervisor one")
    }
    return AccessRule(
      name, source: Self.rights, refusing.isEmpty ? .passed : .failed,
      values("U/S") { $0.isUser },
      refusing.isEmpty
        ? "every entry has U/S=1: user mode may use the page"
        : "user mode needs U/S=1 in every entry; the \(names(refusing)) has U/S=0",
      cause: .permission, repair: setting(2, in: refusing))
  }

  private var writeRule: AccessRule {
    let name = access.isUser ? "Read/write flag (R/W)" : "Read/write flag (R/W) under CR0.WP"
    guard access.kind == .write else {
      return Self.notAsked(name, source: Self.rights, "the access is no write")
    }
    let refusing = granting.filter { !$0.isWritable }
    let isBinding = access.isUser || controls.writeProtect
    let shown =
      values("R/W") { $0.isWritable }
      + (access.isUser ? [] : [.init("CR0.WP", controls.writeProtect)])
    let words: String
    if refusing.isEmpty {
      words = "every entry has R/W=1"
    } else if isBinding {
      let who = access.isUser ? "user mode writes" : "with CR0.WP=1 supervisor mode writes"
      words = "\(who) where every entry has R/W=1; the \(names(refusing)) has R/W=0"
    } else {
      words = "CR0.WP=0: supervisor mode writes whatever R/W says"
    }
    return AccessRule(
      name, source: Self.rights, refusing.isEmpty || !isBinding ? .passed : .failed, shown, words,
      cause: .permission, repair: setting(1, in: refusing))
  }

  private var executeRule: AccessRule {
    let name = "Execute-disable flag (XD)"
    guard access.kind == .fetch else {
      return Self.notAsked(name, source: Self.rights, "the access is no fetch")
    }
    guard regime.mode != .legacy32, controls.executeDisable else {
      return Self.notAsked(
        name, source: Self.rights,
        regime.mode == .legacy32
          ? "entries of 4 bytes have no XD" : "EFER.NXE=0: no page is execute-disable")
    }
    let refusing = granting.filter(\.isExecuteDisable)
    return AccessRule(
      name, source: Self.rights, refusing.isEmpty ? .passed : .failed,
      values("XD") { $0.isExecuteDisable } + [.init("EFER.NXE", true)],
      refusing.isEmpty
        ? "no entry has XD=1" : "the \(names(refusing)) has XD=1: nothing is fetched from the page",
      cause: .permission, repair: setting(63, in: refusing))
  }

  private var smepRule: AccessRule {
    let name = "Supervisor-mode execution prevention (SMEP)"
    guard access.kind == .fetch, !access.isUser else {
      return Self.notAsked(name, source: Self.rights, "the access is no supervisor fetch")
    }
    guard controls.smep else {
      return Self.notAsked(name, source: Self.rights, "CR4.SMEP is off")
    }
    return AccessRule(
      name, source: Self.rights, isUserPage ? .failed : .passed,
      values("U/S") { $0.isUser } + [.init("CR4.SMEP", true)],
      isUserPage
        ? "the page is a user page: supervisor mode does not fetch from it"
        : "the page is a supervisor page",
      cause: .permission, repair: [.registerBit(.smep)])
  }

  private var smapRule: AccessRule {
    let name = "Supervisor-mode access prevention (SMAP)"
    guard access.kind != .fetch, !access.isUser else {
      return Self.notAsked(name, source: Self.rights, "the access is no supervisor data access")
    }
    guard controls.smap else {
      return Self.notAsked(name, source: Self.rights, "CR4.SMAP is off")
    }
    let isLifted = access.alignmentCheck && !access.isImplicit
    let words: String
    if !isUserPage {
      words = "the page is a supervisor page"
    } else if isLifted {
      words = "RFLAGS.AC=1 lets explicit supervisor accesses use user pages"
    } else {
      words =
        access.isImplicit
        ? "an implicit supervisor access may not use a user page, whatever RFLAGS.AC says"
        : "supervisor mode may not use a user page while RFLAGS.AC=0"
    }
    return AccessRule(
      name, source: Self.rights, isUserPage && !isLifted ? .failed : .passed,
      values("U/S") { $0.isUser } + [
        .init("CR4.SMAP", true), .init("RFLAGS.AC", access.alignmentCheck),
      ],
      words, cause: .permission,
      repair: [.registerBit(access.isImplicit ? .smap : .alignmentCheck)])
  }

  private func shadowStackRules(_ leaf: ExplainedEntry) -> [AccessRule] {
    let enabled = AccessRule(
      "Shadow stacks (CR4.CET)", source: Self.rights, controls.shadowStacks ? .passed : .failed,
      [.init("CR4.CET", controls.shadowStacks)],
      controls.shadowStacks ? "shadow stacks are on" : "shadow stacks are off",
      cause: .permission, repair: [.registerBit(.shadowStacks)])
    let tables = granting.dropLast()
    let closed = tables.filter { !$0.isWritable }
    let isPage = closed.isEmpty && !leaf.isWritable && leaf.isDirty
    var repair = setting(1, in: closed)
    if leaf.isWritable { repair.append(.entryBit(entry: leaf, bit: 1)) }
    if !leaf.isDirty { repair.append(.entryBit(entry: leaf, bit: 6)) }
    let page = AccessRule(
      "Shadow-stack page", source: Self.rights, isPage ? .passed : .failed,
      values("R/W") { $0.isWritable } + [.init("\(leaf.name).D", leaf.isDirty)],
      isPage
        ? "R/W=1 above, and the leaf has R/W=0 and D=1"
        : "a shadow-stack page has R/W=1 in every table above, and R/W=0 and D=1 in its leaf",
      cause: .permission, repair: repair)
    let agrees = isUserPage == access.isUser
    let toFlip = access.isUser ? granting.filter { !$0.isUser } : [leaf]
    let privilege = AccessRule(
      "Privilege of the shadow stack", source: Self.rights, agrees ? .passed : .failed,
      values("U/S") { $0.isUser },
      agrees
        ? "the page is of the access's own privilege"
        : "a \(access.isUser ? "user" : "supervisor") shadow stack lies in a"
          + " \(access.isUser ? "user" : "supervisor") page",
      cause: .permission, repair: setting(2, in: toFlip))
    return [enabled, page, privilege]
  }
}
