internal import CCrypto
internal import JSONFormat

extension KeySet {
  /// Reads a JWK Set.
  ///
  /// A key that is for something else (`use`, `key_ops`), or of a kind that podctl does not know, is left out, and a note
  /// says so: identity providers publish such keys with the others. A key that is wrong or weak is an error, and so is a
  /// set without any key.
  /// - Parameter file: The name for messages.
  public init(jwkSet content: [UInt8], file: String) throws(KeySetError) {
    guard let value = JSON(strictly: content) else {
      throw KeySetError(
        place: file, reason: "not JSON, or an object in it has a member twice; a JWK Set is needed (RFC 7517)"
      )
    }
    guard case .object = value, case .array(let items) = value["keys"] else {
      throw KeySetError(place: file, reason: "not a JWK Set: write {\"keys\":[…]} (RFC 7517)")
    }
    guard items.count <= Self.maximumKeys else {
      throw KeySetError(place: file, reason: "\(items.count) keys; at most \(Self.maximumKeys) are allowed")
    }
    var keys: [Key] = []
    var notes: [String] = []
    for (index, item) in items.enumerated() {
      let reader = try JWK(item, place: "\(file): key \(index + 1)")
      if let reason = try reader.reasonToSkip() {
        notes.append("\(reader.place): not used, because \(reason)")
        continue
      }
      let key = try reader.key()
      if keys.contains(where: { $0.id == key.id && (key.id != nil || $0.algorithm == key.algorithm) }) {
        throw reader.error(
          key.id == nil
            ? "a second \(key.algorithm.rawValue) key without a kid; give each of them one"
            : "an earlier key has the same kid; a kid must name one key")
      }
      keys.append(key)
    }
    guard !keys.isEmpty else {
      throw KeySetError(
        place: file,
        reason: (["no key that can verify a token (HS256, RS256, ES256, EdDSA)"] + notes).joined(
          separator: "; "))
    }
    self.init(keys: keys, digest: Digest(of: content.span), notes: notes)
  }
}

/// One key of the file.
private struct JWK {
  /// The file, the key's position and its kid.
  let place: String
  private let id: String?
  private let value: JSON

  init(_ value: JSON, place: String) throws(KeySetError) {
    guard case .object = value else { throw KeySetError(place: place, reason: "not a JSON object") }
    self.value = value
    guard let member = value["kid"] else {
      (self.id, self.place) = (nil, place)
      return
    }
    // Printable, because it stands in messages.
    guard case .string(let id) = member, (1...128).contains(id.utf8.count),
      id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { throw KeySetError(place: place, reason: "kid must be 1 to 128 printable ASCII characters") }
    (self.id, self.place) = (id, "\(place) (kid \"\(id)\")")
  }

  func error(_ reason: String) -> KeySetError { KeySetError(place: place, reason: reason) }

  /// Why the key is none of those that verify tokens here; nil if it is one.
  func reasonToSkip() throws(KeySetError) -> String? {
    if let use = try string("use"), use != "sig" { return "its use is not \"sig\"" }
    if let operations = value["key_ops"] {
      guard case .array(let items) = operations else { throw error("key_ops must be a list") }
      let names = items.compactMap { if case .string(let name) = $0 { name } else { nil } }
      guard names.contains("verify") || names.contains("sign") else {
        return "its key_ops have no \"verify\""
      }
    }
    let kind = try required("kty")
    let curve = try string("crv")
    let known =
      switch kind {
      case "oct", "RSA": true
      case "EC": curve == "P-256"
      case "OKP": curve == "Ed25519"
      default: false
      }
    guard known else { return "podctl knows no such kind of key (oct, RSA, EC with P-256, OKP with Ed25519)" }
    guard let name = try string("alg"), Algorithm(rawValue: name) == nil else { return nil }
    // A name of another algorithm is for another program. Where the name itself is a mistake, the key is missed soon.
    return "its alg is none of HS256, RS256, ES256, EdDSA"
  }

  /// The key, for exactly one algorithm: the kind decides it, and `alg` must not contradict.
  func key() throws(KeySetError) -> Key {
    let algorithm: Algorithm
    let identity: [UInt8]
    let material: Key.Material
    var signs = value["d"] != nil
    switch try required("kty") {
    case "oct":
      let secret = try secret()
      (algorithm, identity, signs) = (.hs256, secret, true)
      material = .secret(secret)
    case "RSA":
      (algorithm, identity) = (.rs256, try bytes("n") + bytes("e"))
      material = .pair(try rsa())
    case "EC":
      (algorithm, identity) = (.es256, try bytes("x") + bytes("y"))
      material = .pair(try p256())
    default:
      (algorithm, identity) = (.edDSA, try bytes("x"))
      material = .pair(try ed25519())
    }
    if let name = try string("alg"), name != algorithm.rawValue {
      throw error("alg is \(name), but the key is for \(algorithm.rawValue)")
    }
    let key = Key(id: id, algorithm: algorithm, signs: signs, identity: identity, material)
    // The secret part of one key with the public part of another one would sign tokens that nobody accepts.
    let sample = Array("podctl".utf8)
    guard !signs || key.sign(sample).map({ key.verifies(sample.span, $0) }) ?? false else {
      throw error("its secret part (d) does not belong to its public part")
    }
    return key
  }

  private func secret() throws(KeySetError) -> [UInt8] {
    let secret = try bytes("k")
    guard secret.count >= 32 else {
      throw error("an HMAC key of \(secret.count) bytes; at least 32 are needed (openssl rand 32)")
    }
    return secret
  }

  private func rsa() throws(KeySetError) -> KeyPair {
    let (modulus, exponent) = (try bytes("n"), try bytes("e"))
    guard let high = modulus.first, high != 0, exponent.first != 0 else {
      throw error("n and e must have no leading zero byte (RFC 7518, 6.3.1)")
    }
    let bits = modulus.count * 8 - high.leadingZeroBitCount
    guard (2048...8192).contains(bits) else {
      throw error("an RSA key of \(bits) bits; 2048 to 8192 are needed")
    }
    // With a small exponent anybody may find a signature: with 1 it is the message itself.
    let value = exponent.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    guard (3...4).contains(exponent.count), value >= 65_537, value % 2 == 1 else {
      throw error("an RSA exponent that is not an odd number from 65537 to 4294967295")
    }
    var (n, e) = (inHostOrder(modulus), inHostOrder(exponent))
    let raw: OpaquePointer?
    if let secret = try optionalBytes("d") {
      var d = inHostOrder(secret)
      raw = ccrypto_rsa_key(&n, n.count, &e, e.count, &d, d.count)
    } else {
      raw = ccrypto_rsa_key(&n, n.count, &e, e.count, nil, 0)
    }
    guard let pair = KeyPair(CCRYPTO_RS256, raw) else { throw error("not an RSA key") }
    return pair
  }

  private func p256() throws(KeySetError) -> KeyPair {
    let (x, y, secret) = (try bytes("x"), try bytes("y"), try optionalBytes("d"))
    guard x.count == 32, y.count == 32, secret?.count ?? 32 == 32 else {
      throw error("x, y and d of a P-256 key have 32 bytes")
    }
    var point = [0x04] + x + y
    let raw: OpaquePointer?
    if let secret {
      var d = inHostOrder(secret)
      raw = ccrypto_p256_key(&point, &d)
    } else {
      raw = ccrypto_p256_key(&point, nil)
    }
    guard let pair = KeyPair(CCRYPTO_ES256, raw) else { throw error("x and y are no point of P-256") }
    return pair
  }

  private func ed25519() throws(KeySetError) -> KeyPair {
    let (x, secret) = (try bytes("x"), try optionalBytes("d"))
    guard x.count == 32, secret?.count ?? 32 == 32 else {
      throw error("x and d of an Ed25519 key have 32 bytes")
    }
    // libcrypto computes the public part from the secret one, so the two are compared here.
    guard let pair = KeyPair(CCRYPTO_EDDSA, ccrypto_ed25519_key(x, nil)),
      let signer = KeyPair(CCRYPTO_EDDSA, ccrypto_ed25519_key(x, secret))
    else { throw error("not an Ed25519 key") }
    guard secret != nil else { return pair }
    let sample = Array("podctl".utf8)
    var signature = [UInt8](repeating: 0, count: Int(CCRYPTO_SIGNATURE_MAX))
    let size = ccrypto_sign(CCRYPTO_EDDSA, signer.raw, sample, sample.count, &signature)
    guard ccrypto_verify(CCRYPTO_EDDSA, pair.raw, sample, sample.count, signature, size) == 1 else {
      throw error("its secret part (d) does not belong to its public part")
    }
    return signer
  }

  private func string(_ name: String) throws(KeySetError) -> String? {
    switch value[name] {
    case nil: return nil
    case .string(let text): return text
    default: throw error("\(name) must be a string")
    }
  }

  private func required(_ name: String) throws(KeySetError) -> String {
    guard let text = try string(name) else { throw error("no \(name)") }
    return text
  }

  private func optionalBytes(_ name: String) throws(KeySetError) -> [UInt8]? {
    guard let text = try string(name) else { return nil }
    guard let bytes = Base64URL.decode(Array(text.utf8).span), !bytes.isEmpty else {
      throw error("\(name) is not base64url without padding (RFC 7515, 2)")
    }
    return bytes
  }

  private func bytes(_ name: String) throws(KeySetError) -> [UInt8] {
    guard let bytes = try optionalBytes(name) else { throw error("no \(name)") }
    return bytes
  }
}

/// A JWK's numbers begin with the highest byte (RFC 7518, 2).
private func inHostOrder(_ number: [UInt8]) -> [UInt8] {
  UInt16(littleEndian: 1) == 1 ? number.reversed() : number
}
