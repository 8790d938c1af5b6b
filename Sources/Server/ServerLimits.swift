// How long and how much a connection may keep the server waiting.
import NIOCore

enum ServerLimits {
    /// A line that has begun must be complete within the patience, unless it keeps coming at this rate.
    static let lineBytesPerSecondMin = 1024
    /// Longest patience that can be asked for.
    static let patienceSecondsMax = 3600
    /// Answers wait to be read up to this many bytes; beyond it the connection's next requests wait too.
    static let unreadBytesMax = 8 << 20
    /// More log than this is not let grow before it is brought into files.
    static let checkpointMebibytesMax = 4096.0
    static let auditMebibytesMax = 1 << 20
    static let connectionsMax = 4096
    /// How long a connection may be nobody's, where authentication is configured.
    static let helloSeconds = 2
    /// How long one connection's lines are handled before others have their turn, and how long answers wait for those that
    /// follow. A write of answers and the wake-ups around it take about 30 microseconds.
    static let turn = Duration.milliseconds(2)
    /// Light reads of one connection that an idle thread is given at once: it takes as long to wake as one of them.
    static let readsSharedAtOnce = 8
    /// Room for answers that gather, made at once: it would be doubled and copied up to here with every write.
    static let gatheredBytesUsual = 16 << 10
    /// Output is written in pieces, so that slow reading can be told from none.
    static let writePieceBytes = 256 << 10
    /// How long a read waits for `min_seq` where the request sets no deadline.
    static let sequenceWaitMilliseconds = 1000
    static let sequencePollMilliseconds = 2
    /// How long a stop waits for what is in flight.
    static let drainSeconds = 10
    /// Answered on the spot; anything larger is handed to whichever worker is free, while this connection's
    /// next line is read. In rows times dimensions; about 100 microseconds of comparing.
    static let lightWork = 1 << 20
    /// Not given to an idle thread either, even with others like it: a few microseconds.
    static let tinyWork = 1 << 15
}
