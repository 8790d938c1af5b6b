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
        case .off: return false
        case .all: return true
        case .enforced:
            do { return try snapshot().overview(of: collection).schema.access == .enforced } catch {
                // There is no such collection: nothing of it is read.
                return false
            }
        }
    }

    /// Records a read that has been answered, or refused with `error`.
    func record(_ authorized: Authorized, connection: UInt64, sequence: UInt64, _ receipt: AuditReceipt, refusedWith error: WireError?) {
        let request = authorized.request
        var head = AuditHead()
        head.user = authorized.caller?.user ?? ""
        head.agent = authorized.caller?.agent ?? ""
        head.credential = authorized.identity.name
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
        case .list(let list):
            head.collection = list.collection
            head.filterDigest = Filter.digest(list.input.filter, under: list.input.under)
        case .facet(let facet):
            head.collection = facet.collection
            head.filterDigest = Filter.digest(facet.filter, under: facet.under)
        case .nodes(let nodes): head.collection = nodes.collection
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
        case .list(let list): list.collection
        case .facet(let facet): facet.collection
        case .nodes(let nodes): nodes.collection
        default: nil
        }
    }
}
