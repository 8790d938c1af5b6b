// Times at the source: what counts as one, and how one is written.

/// RFC 3339 times in UTC and the dates people write into documents.
enum SourceTime {
    /// True for RFC 3339 with seconds and an offset, and for Unix milliseconds in decimal.
    static func isTime(_ text: String) -> Bool {
        if text.utf8.count <= 16, !text.hasPrefix("+"), Int64(text) != nil { return true }
        return isTimestamp(Array(text.utf8))
    }

    /// A date or a time as RFC 3339: `2026-04-20` is the first second of that day in UTC. nil if it is neither.
    static func normalised(_ text: String) -> String? {
        let utf8 = Array(text.utf8)
        if utf8.count == 10 { return isDate(utf8[...]) ? text + "T00:00:00Z" : nil }
        return isTimestamp(utf8) ? text : nil
    }

    /// As `normalised`, and for a time that names no place on earth (`2026-04-20 10:00`) its date.
    static func written(_ text: String) -> String? {
        if let time = normalised(text) { return time }
        let (date, rest) = (text.prefix(10), text.dropFirst(10))
        return isDate(date) && (rest.hasPrefix(" ") || rest.hasPrefix("T")) ? date + "T00:00:00Z" : nil
    }

    static func isDate(_ text: some StringProtocol) -> Bool {
        let utf8 = Array(text.utf8)
        return utf8.count == 10 && isDate(utf8[...])
    }

    /// `yyyy-mm-ddThh:mm:ssZ`, with milliseconds where there are any.
    static func text(milliseconds: Int64) -> String {
        let (seconds, fraction) = milliseconds.flooredDivision(by: 1000)
        let (day, second) = seconds.flooredDivision(by: 86_400)
        let date = civilDate(daysSince1970: day)
        let clock = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        let digits = fraction == 0 ? "" : ".\(padded(fraction, 3))"
        return "\(padded(date.year, 4))-\(padded(date.month, 2))-\(padded(date.day, 2))T\(clock)\(digits)Z"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = number.description
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Howard Hinnant's days-to-civil: eras of 400 years, years that begin in March so that the leap day comes last.
    private static func civilDate(daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = (daysSince1970 + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    private static func isDate(_ text: ArraySlice<UInt8>) -> Bool {
        let at = text.startIndex
        guard text.count == 10, text[at + 4] == UInt8(ascii: "-"), text[at + 7] == UInt8(ascii: "-"),
            let year = number(text[at..<at + 4]), let month = number(text[at + 5..<at + 7]),
            let day = number(text[at + 8..<at + 10]), (1...12).contains(month)
        else { return false }
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        return (1...days).contains(day)
    }

    private static func isTimestamp(_ text: [UInt8]) -> Bool {
        guard text.count >= 20, isDate(text[0..<10]), text[10] | 0x20 == UInt8(ascii: "t"),
            isClock(text[11..<19], secondMax: 60)
        else { return false }
        var at = 19
        if text[at] == UInt8(ascii: ".") {
            let digits = text[(at + 1)...].prefix { isDigit($0) }
            guard !digits.isEmpty else { return false }
            at = digits.endIndex
        }
        return isOffset(text[at...])
    }

    private static func isOffset(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first else { return false }
        if text.count == 1 { return first | 0x20 == UInt8(ascii: "z") }
        guard text.count == 6, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") else { return false }
        return isClock(text.dropFirst() + [UInt8(ascii: ":"), UInt8(ascii: "0"), UInt8(ascii: "0")], secondMax: 0)
    }

    private static func isClock(_ text: ArraySlice<UInt8>, secondMax: Int) -> Bool {
        let at = text.startIndex
        guard text.count == 8, text[at + 2] == UInt8(ascii: ":"), text[at + 5] == UInt8(ascii: ":"),
            let hour = number(text[at..<at + 2]), let minute = number(text[at + 3..<at + 5]), let second = number(text[at + 6..<at + 8])
        else { return false }
        return hour < 24 && minute < 60 && second <= secondMax
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int? {
        var number = 0
        for digit in digits {
            guard isDigit(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
}

extension Int64 {
    /// Rounded down, so that times before 1970 fall into their own day.
    fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
