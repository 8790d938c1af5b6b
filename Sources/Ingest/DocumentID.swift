// What an id may be.

/// What is wrong with an id, or nil if it can be one.
func idFault(_ id: String) -> String? {
    if id.isEmpty { return "must not be empty" }
    if id.utf8.count > Limits.idBytesMax { return "has \(id.utf8.count) bytes; an id has at most \(Limits.idBytesMax)" }
    if id.utf8.contains(0) { return "must not contain NUL" }
    return nil
}
