// The bounds of the protocol itself; those of the data are the engine's.

package enum WireLimits {
    package static let lineBytesMax = 32 << 20
    /// Until `hello` has said who asks, where that is asked for: what strangers may have the daemon hold.
    package static let strangerLineBytesMax = 4096
    package static let tokenBytesMax = 4096
    package static let depthMax = 32
    package static let requestsInFlightMax = 256
    package static let bytesInFlightMax = 64 << 20
    /// An answer that grows beyond this is refused instead: ask for less.
    package static let answerBytesMax = 64 << 20
    package static let idsMax = 10_000
    package static let directoryPageMax = 10_000
    package static let readChunksMax = 1000
    package static let deadlineMillisecondsMax = 600_000
    package static let requestIDBytesMax = 256
}
