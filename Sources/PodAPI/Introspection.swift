/// The reply to `Introspect`: org.podctl1.xml, which SwiftPM embeds into this module (decision 0017).
public enum Introspection {
  public static let xml = String(decoding: PackageResources.org_podctl1_xml, as: UTF8.self)
}
