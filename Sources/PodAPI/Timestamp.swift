internal import PodModel
public import Time

/// Points in time as RFC 3339 in UTC.
public enum Timestamp {
  /// `2026-11-21T09:02:38Z`, or with all six digits of the second's fraction.
  public static func rfc3339(_ time: WallTime, fraction: Bool = false) -> String {
    let seconds = Int64(time.sinceEpoch / .seconds(1))
    let (year, month, day) = date(daysSinceEpoch: seconds / 86_400)
    let rest = seconds % 86_400
    var text =
      "\(padded(year, toWidth: 4))-\(padded(month, toWidth: 2))-\(padded(day, toWidth: 2))"
      + "T\(padded(rest / 3600, toWidth: 2)):\(padded(rest / 60 % 60, toWidth: 2)):\(padded(rest % 60, toWidth: 2))"
    if fraction { text += "." + padded(Int64((time.sinceEpoch % .seconds(1)).count), toWidth: 6) }
    return text + "Z"
  }

  /// The proleptic Gregorian date. Years are counted from 1 March, so that the leap day comes last;
  /// eras of 400 years have 146,097 days.
  private static func date(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468  // days from 0000-03-01 to 1970-01-01
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }
}
