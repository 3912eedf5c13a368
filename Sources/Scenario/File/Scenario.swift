/// A scenario file: a machine, plugins, and the steps of a guest.
public struct Scenario: Sendable {
  /// What it is called.
  public var name: String
  /// The machine it runs on.
  public var machine: MachineSpec
  /// The plugins, in the order of stacking.
  public var plugins: [PluginSpec]
  /// What the guest does.
  public var steps: [Step]
}
