// How much memory the machine has.
#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

package enum PhysicalMemory {
    /// Of the machine; a container may be allowed less.
    package static let byteCount: Int = {
        let (pages, pageBytes) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        // A system that does not tell is taken for a small one.
        return pages > 0 && pageBytes > 0 ? pages * pageBytes : 1 << 30
    }()
}
