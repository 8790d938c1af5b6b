// A change of what documents are besides their content, as it arrives.

/// What to change of the nodes of a selection. Chunks, vectors and versions stay as they are.
package struct PatchInput: Sendable {
    package var collection: String
    package var selection = Selection()
    /// Change only if the version of the one node selected by id is this.
    package var ifVersion: UInt64?
    /// Where the nodes go, with all that lies under them. Removed means to the root.
    package var parent = Change<String>.keep
    package var title = Change<String>.keep
    package var url = Change<String>.keep
    package var mime = Change<String>.keep
    package var time = Change<InputValue>.keep
    /// The nodes' own access object. Removed means that they inherit again.
    package var access = Change<String>.keep
    /// Declared fields and their new values.
    package var set: [(name: String, value: InputValue)] = []
    /// Declared fields that are to have no value.
    package var unset: [String] = []

    package init(collection: String) { self.collection = collection }

    var changesOnlyAccess: Bool {
        access.isNamed && !(parent.isNamed || title.isNamed || url.isNamed || mime.isNamed || time.isNamed) && set.isEmpty && unset.isEmpty
    }
}

/// What a patch does to one attribute.
package enum Change<Value: Sendable>: Sendable {
    case keep
    case set(Value)
    case remove

    /// The new value, where there is one.
    var value: Value? { if case .set(let value) = self { value } else { nil } }
    var isNamed: Bool { if case .keep = self { false } else { true } }
}
