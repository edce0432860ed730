/// The version that podctl, podd and the package have.
public enum Release {
  public static let version = "0.1.0"
}
