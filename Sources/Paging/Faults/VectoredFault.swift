/// A guest's exception that has a number, so that a machine can count it.
public protocol VectoredFault: Error {
  /// The exception's vector.
  var vector: UInt8 { get }
}
