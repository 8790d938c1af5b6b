// RFC 3339 times to and from Unix milliseconds.

package enum Timestamp {
    /// Milliseconds since 1970 of a text such as `2026-10-01T12:30:00.250+02:00` or the date alone; nil for
    /// anything else. Fractions beyond milliseconds are cut; a leap second counts as the next second.
    package static func milliseconds(rfc3339 text: String) -> Int64? {
        var cursor = DigitCursor(text)
        guard let year = cursor.digits(4), cursor.skip("-"), let month = cursor.digits(2), cursor.skip("-"), let day = cursor.digits(2),
            (1...12).contains(month), (1...daysInMonth(month, year)).contains(day)
        else { return nil }
        let days = daysSince1970(year: year, month: month, day: day)
        if cursor.isAtEnd { return Int64(days) * 86_400_000 }
        guard cursor.skip("T") || cursor.skip("t") || cursor.skip(" "),
            let hour = cursor.digits(2), cursor.skip(":"), let minute = cursor.digits(2), cursor.skip(":"), let second = cursor.digits(2),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var fraction = 0
        if cursor.skip(".") {
            guard let parsed = cursor.millisecondFraction() else { return nil }
            fraction = parsed
        }
        guard let offset = cursor.offsetMinutes(), cursor.isAtEnd else { return nil }
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60
        return Int64(seconds) * 1000 + Int64(fraction)
    }

    /// `2026-10-01T12:30:00Z`, with milliseconds where there are any. Years beyond 0...9999 are clamped to them.
    package static func rfc3339(milliseconds: Int64) -> String {
        let clamped = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
        let days = Int((Double(clamped) / 86_400_000).rounded(.down))
        let rest = Int(clamped) - days * 86_400_000
        let (year, month, day) = civil(daysSince1970: days)
        let date = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))"
        let time = "\(pad(rest / 3_600_000, 2)):\(pad(rest / 60_000 % 60, 2)):\(pad(rest / 1000 % 60, 2))"
        return rest % 1000 == 0 ? "\(date)T\(time)Z" : "\(date)T\(time).\(pad(rest % 1000, 3))Z"
    }

    private static func daysInMonth(_ month: Int, _ year: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }

    /// Days of the proleptic Gregorian calendar, counted in years that begin in March, so that the leap day
    /// comes last.
    private static func daysSince1970(year: Int, month: Int, day: Int) -> Int {
        let marchYear = month > 2 ? year : year - 1
        let era = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra = marchYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(daysSince1970 days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    private static func pad(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads fixed digits and marks off an ASCII text.
private struct DigitCursor {
    private let bytes: [UInt8]
    private var at = 0

    init(_ text: String) { bytes = Array(text.utf8) }
    var isAtEnd: Bool { at == bytes.count }

    mutating func skip(_ mark: Character) -> Bool {
        guard at < bytes.count, bytes[at] == mark.asciiValue else { return false }
        at += 1
        return true
    }

    mutating func digits(_ count: Int) -> Int? {
        guard at + count <= bytes.count else { return nil }
        var value = 0
        for _ in 0..<count {
            guard let digit = nextDigit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    /// One digit or more; the first three count.
    mutating func millisecondFraction() -> Int? {
        var value = 0
        var seen = 0
        while let digit = nextDigit() {
            if seen < 3 { value = value * 10 + digit }
            seen += 1
        }
        guard seen > 0 else { return nil }
        for _ in min(seen, 3)..<3 { value *= 10 }
        return value
    }

    /// `Z`, or `+hh:mm`: minutes east of Greenwich.
    mutating func offsetMinutes() -> Int? {
        if skip("Z") || skip("z") { return 0 }
        let sign = skip("+") ? 1 : skip("-") ? -1 : 0
        guard sign != 0, let hours = digits(2), skip(":"), let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 60 + minutes)
    }

    private mutating func nextDigit() -> Int? {
        guard at < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[at]) else { return nil }
        at += 1
        return Int(bytes[at - 1] - UInt8(ascii: "0"))
    }
}
