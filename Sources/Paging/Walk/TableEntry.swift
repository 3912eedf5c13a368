/// The width of a table entry: 4 bytes in two-level x86 paging, 8 elsewhere.
public protocol TableEntry: FixedWidthInteger, UnsignedInteger, BitwiseCopyable, Sendable {}
