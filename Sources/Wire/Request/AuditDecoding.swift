// Questions to the audit log.
import Engine

extension RequestDecoder {
    static func auditQuery(_ root: borrowing JSONValue) throws(WireError) -> Operation {
        var query = AuditQuery()
        try members(root, "audit.query") { (key, value) throws(WireError) in
            switch key {
            case "document": query.document = try value.decodeString(key)
            case "user": query.user = try value.decodeString(key)
            case "agent": query.agent = try value.decodeString(key)
            case "collection": query.collection = try value.decodeString(key)
            case "from": query.from = try value.decodeTime(key)
            case "to": query.to = try value.decodeTime(key)
            case "before": query.before = try value.decodeSequence(key)
            case "limit": query.limit = try value.decodeInt(key, in: 1...AuditQuery.limitMax)
            default: return false
            }
            return true
        }
        return .auditQuery(query)
    }
}
