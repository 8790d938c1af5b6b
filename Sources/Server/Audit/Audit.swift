// What of the requests goes into the audit log.
import ArgumentParser
import Engine
import Wire

/// Which reads are audited.
package enum AuditPolicy: String, CaseIterable, Sendable {
    /// None, and no log is kept.
    case off
    /// Those of collections that enforce rights.
    case enforced
    /// Those of all collections.
    case all
}

extension AuditPolicy: ExpressibleByArgument {}

/// The audit log as those who answer see it.
struct Audit: Sendable {
    let log: AuditLog
    let policy: AuditPolicy

    /// Whether a read is to be recorded, which has to be known before its answer is written.
    ///
    /// - Parameter collection: its name; there may be none of it, whose every read is refused.
    func covers(_ collection: String, in snapshot: @autoclosure () -> DatabaseSnapshot) -> Bool {
        switch policy {
        // No collection of this version enforces rights.
        case .off, .enforced: false
        case .all: true
        }
    }

    /// Records a read that has been answered, or refused with `error`.
    func record(_ request: Request, connection: UInt64, sequence: UInt64, _ receipt: AuditReceipt, refusedWith error: WireError?) {
        var head = AuditHead()
        head.milliseconds = WallClock.nowMilliseconds
        head.connection = connection
        head.operation = request.operation.name.rawValue
        head.sequence = error == nil ? receipt.sequence : sequence
        head.outcome = error?.code ?? ""
        head.plan = receipt.plan?.rawValue ?? ""
        switch request.operation {
        case .search(let search):
            head.collection = search.collection
            head.queryDigest = search.input.queryDigest
            head.filterDigest = search.input.filterDigest
        case .count(let input):
            head.collection = input.collection
            head.filterDigest = Filter.digest(input.filter, under: input.under)
        case .get(let input): head.collection = input.collection
        case .read(let input): head.collection = input.collection
        default: preconditionFailure("reads of collections are audited")
        }
        log.append(head, receipt.items)
    }
}

extension Operation {
    /// The collection that an operation reads documents of, where it is one that is audited.
    var auditedCollection: String? {
        switch self {
        case .search(let search): search.collection
        case .count(let input): input.collection
        case .get(let input): input.collection
        case .read(let input): input.collection
        default: nil
        }
    }
}
