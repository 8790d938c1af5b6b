// The manifest of a directory, for those who look and do not write.
package import Memory

/// A manifest as it lies on disk.
package struct FoundManifest: Sendable {
    package var name: String
    package var byteCount: Int
    package var contents: ManifestContents
    /// Edits behind the contents that the file began with.
    package var editCount: Int
    /// What stands behind the last good record and is none.
    package var tail: Corruption?
    /// Manifests that do not count.
    package var leftovers: [String]

    /// Nil where no file of a database is. Writes nothing.
    package init?(in disk: any Disk) throws(LogError) {
        let recovered = try ManifestRecovery(disk: disk).run()
        guard let found = recovered.found else { return nil }
        name = found.name
        byteCount = try onDisk { () throws(DiskError) in try disk.open(found.name).size() }
        contents = found.contents
        editCount = found.editCount
        tail = found.end.damage
        leftovers = recovered.leftovers
    }
}
