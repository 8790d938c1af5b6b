// The time of day, for what people want to know the age of.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

enum WallClock {
    /// Unix milliseconds.
    static var nowMilliseconds: Int64 {
        var now = timespec()
        // Sound: filled in by the call, which cannot fail for this clock.
        _ = unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
