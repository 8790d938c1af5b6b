// When a write is safe from a crash: at once, or with the checkpoint after it.

/// How a database that is open keeps what is written to it.
package enum Durability: Sendable {
    /// In the log, on the device before the write is answered.
    case write
    /// In files, with the next checkpoint: nothing is logged. For loading in bulk, by one thread. A write that finds a checkpoint due
    /// makes it first, so that `DatabaseSizes.checkpointBytes` bounds the memory that waits for one. A crash takes back what came
    /// after the last checkpoint, all of it.
    case checkpoint
}
