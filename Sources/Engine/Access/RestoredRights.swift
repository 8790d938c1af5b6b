// Which rights a restored database has: a snapshot is older than what was withdrawn since it was taken.
import Memory
package import Storage

/// Whose rights a snapshot with rights is restored with.
package enum RestoredRights: Sendable {
    /// Nobody has said: a snapshot without rights is restored, one with rights is not.
    case unsaid
    /// Those that it was taken with, though some may have been withdrawn since: whoever wants that names the snapshot. nil takes any.
    case ofSnapshot(named: String?)
    /// Those in force in a newer database, which nobody else has open.
    case newer(any Disk)
}

extension RestoredRights {
    /// Looks at a database that has been verified and does not count yet, and gives it its rights.
    func settle(_ restored: RestoredDatabase, in disk: any Disk) throws(ArchiveError) {
        guard restored.report.hasRights else { return }
        switch self {
        case .unsaid:
            throw .refused(
                "the snapshot \"\(restored.snapshot)\" holds rights as they were at sequence \(restored.sequence), \(Timestamp.rfc3339(milliseconds: restored.createdMilliseconds)): what was withdrawn since would be given again. Restore it with the rights of a newer database, or say by its name that its own are wanted")
        case .ofSnapshot(let name):
            guard name.map({ $0.isExactly(restored.snapshot) }) ?? true else {
                throw .refused("the archive is of the snapshot \"\(restored.snapshot)\", not of \"\(name ?? "")\": name it to have its rights")
            }
        case .newer(let newer):
            do throws(LogError) {
                let database = try Database(disk: newer, randomness: { UInt64.random(in: .min ... .max) })
                let rights = database.snapshot()
                try database.close()
                try Self.adopt(rights, in: disk)
            } catch { throw .refused("the rights of the newer database cannot be taken over: \(error)") }
        }
    }

    private static func adopt(_ newer: DatabaseSnapshot, in disk: any Disk) throws(LogError) {
        let database = try Database(disk: disk, randomness: { UInt64.random(in: .min ... .max) })
        do throws(EngineError) {
            try database.adoptRights(of: newer)
            try database.checkpoint()
        } catch { throw .disk(DiskError(operation: "restore", path: disk.path, errno: 0, reason: "\(error)")) }
        try database.close()
    }
}

extension Database {
    /// Puts the directory of another database in the place of this one's, and each node of a collection that both have under the access object that
    /// guards it there. Nodes that the other does not have keep the object that they name. Nobody writes meanwhile.
    func adoptRights(of newer: DatabaseSnapshot) throws(EngineError) {
        for change in snapshot().directory.clearing + newer.directory.putting { _ = try write(.changeDirectory(change)) }
        for collection in snapshot().collectionNames {
            guard let there = newer.knownState(of: collection) else { continue }
            // A node that is given an object of its own guards what lies under it anew; each round settles at least those that came first.
            for _ in 0...Limits.treeDepthMax {
                let patches = try snapshot().state(of: collection).guardedOtherwise(than: there, snapshot().directory, newer.directory)
                if patches.isEmpty { break }
                for (access, ids) in patches { try guardNodes(ids, of: collection, by: access) }
            }
        }
    }

    private func guardNodes(_ ids: [String], of collection: String, by access: String) throws(EngineError) {
        for first in stride(from: 0, to: ids.count, by: Limits.batchMax) {
            var patch = PatchInput(collection: collection)
            patch.selection = Selection(ids: Array(ids[first..<min(first + Limits.batchMax, ids.count)]))
            patch.access = .set(access)
            _ = try write(.patch(patch))
        }
    }
}

extension DatabaseSnapshot {
    fileprivate func knownState(of name: String) -> CollectionState? {
        allCollections.first { $0.schema.name.isExactly(name) }?.core.state
    }
}

extension CollectionState {
    /// By the name of the object that guards them in another state: nodes of both that another one guards here.
    fileprivate func guardedOtherwise(than other: CollectionState, _ own: Directory, _ theirs: Directory) -> [String: [String]] {
        var found: [String: [String]] = [:]
        documents.forEachLive { number, _ in
            let id = documents.id(number)
            guard let there = other.documents.find(id) else { return }
            let (here, wanted) = (documents.guardMark(number).access, other.documents.guardMark(there).access)
            let name = wanted == 0 ? Self.nobodys : theirs.accessName(wanted)
            if here == 0 ? wanted == 0 : own.accessName(here).isExactly(name) { return }
            found[name, default: []].append(id)
        }
        return found
    }

    /// Of an object that is never put, so that it means nobody.
    private static let nobodys = "withdrawn before this was restored"
}

extension Directory {
    /// What takes everything out.
    fileprivate var clearing: [DirectoryChange] {
        var changes: [DirectoryChange] = []
        for number in 1..<principalMax + 1 {
            if row(ofPrincipal: number).has(PrincipalRow.Flag.isGroup) { changes.append(.dropGroup(principalName(number))) }
            if row(ofPrincipal: number).has(PrincipalRow.Flag.isAgent) { changes.append(.dropAgent(principalName(number))) }
        }
        for number in 1..<accessMax + 1 where isThere(access: number) { changes.append(.dropAccess(accessName(number))) }
        return changes
    }

    /// What makes an empty directory this one. O(memberships + entries).
    fileprivate var putting: [DirectoryChange] {
        var changes: [DirectoryChange] = []
        var members: [UInt32: [String]] = [:]
        for number in 1..<principalMax + 1 { for group in groups(of: number) { members[group, default: []].append(principalName(number)) } }
        for number in 1..<principalMax + 1 {
            let (row, name) = (row(ofPrincipal: number), principalName(number))
            if row.has(PrincipalRow.Flag.isGroup) { changes.append(.putGroup(name, members: members[number] ?? [])) }
            if row.has(PrincipalRow.Flag.isAgent), let grade = Grade(rawValue: UInt8(row.grade)) {
                changes.append(.putAgent(AgentInput(name: name, scope: scope(ofAgent: number), grade: grade)))
            }
        }
        for number in 1..<accessMax + 1 where isThere(access: number) {
            let row = row(ofAccess: number)
            var input = AccessInput(name: accessName(number))
            for entry in entries(of: number) {
                if entry.grade == .none { input.denials.append(principalName(entry.principal)) } else { input.grants.append((principalName(entry.principal), entry.grade)) }
            }
            if row.inherits != 0 { input.inherits = accessName(row.inherits) }
            if row.has(AccessRow.Flag.hasContact) { input.contact = texts.string(row.contact) }
            changes.append(.putAccess(input))
        }
        return changes
    }
}
