import Paging

/// The default policy, but for the turns that its threads take.
package struct RacePolicy: MMUPolicy {
  package let pacing: Turns
}
