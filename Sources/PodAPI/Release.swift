/// The release, as `podctl --version`, podd and the package say it.
public enum Release {
  public static let version = "0.1.0"
}
