// How long to wait before asking again.

struct Backoff: Sendable {
    let firstMilliseconds: Int
    let maxMilliseconds: Int

    /// The pause after `attempt` failed, counted from 1. It doubles with each attempt up to its bound, and between
    /// half of it and all of it is waited, so that clients which failed together do not come back together.
    func pauseMilliseconds<Random: RandomNumberGenerator>(after attempt: Int, using random: inout Random) -> Int {
        precondition(attempt >= 1, "attempts are counted from 1")
        // 30 doublings exceed any bound in use, and shift nothing out of the number.
        let doubled = min(firstMilliseconds, maxMilliseconds) << min(attempt - 1, 30)
        let longest = min(doubled, maxMilliseconds)
        return Int.random(in: longest / 2...longest, using: &random)
    }

    /// The pause where the service named one: never shorter, and up to a tenth longer for the same reason.
    static func pauseMilliseconds<Random: RandomNumberGenerator>(asked: Int, using random: inout Random) -> Int {
        asked + Int.random(in: 0...asked / 10, using: &random)
    }
}
