/// The message ids of podd's journal entries. They never change. units/podctl.catalog has a text for each,
/// which `journalctl -x` shows (podctl-journal(7)).
enum MessageID: String, CaseIterable {
  /// A user was placed.
  case userProvisioned = "1f98b129e8e34f86a231610506c8caaa"
  /// A user was removed.
  case userDeprovisioned = "dc092bae62564fe1a282a6a8193a4325"
  /// A user was suspended.
  case userSuspended = "7c72df9b11a94ef3866ce1fd0a6a6bc9"
  /// A suspended user has access again.
  case userResumed = "32ba33aea91242c796e99d1d91ace178"
  /// A user's directory cannot be used; the pod's other users are served.
  case userDataTrouble = "3aaff704669542b9904841d13fdc2c26"
  /// A generation's program started.
  case podStarted = "3e09e983e23e4236870208f8e15f8e48"
  /// A generation is ready to serve.
  case podReady = "cbef33768b164fb2aab843013ad23788"
  /// A generation ended, with its reason.
  case podEnded = "fe075c7d43334a0d8b61865b9aee0627"
  /// A running generation was taken over after podd was started again.
  case podAdopted = "1717d5b4ab0a473886a0bf650ebf3877"
  /// A generation's program could not be started.
  case podLaunchFailed = "378e291004c646a9b01e3dc93dfe5982"
  /// A pod ended too often and hit its start limit.
  case podCrashLoop = "91a1bc981b824244a400d12445ab87ba"
  /// One of several processes of a pod ended; the others continue to serve.
  case workerEnded = "c9d77a23ca884d49a59678af840ec752"
  /// A pod did not answer its probe and is replaced.
  case podHung = "b9c25463a8ae4cafbd5a7114c611a9b0"
  /// Connections were still open when the time for a drain or a stop was over.
  case podDrainCut = "df94c3184b4c48bea454d45c2bf63fcf"
  /// New connections to a pod are let in again; the entry says how long they were held.
  case podReleased = "ff98c742ad254ef6b91d043068e31553"
  /// A rollout ended, with every pod replaced.
  case rolloutDone = "4541853c1e024052a61f835e10b28590"
  /// A rollout stopped at a pod that did not come back.
  case rolloutStopped = "04fe3772593645e4a06d878a29d6f9a5"
  /// A connection arrived for a sleeping pod, which is launched or thawed for it.
  case podWoken = "cb00805b24a34e5fb204bad829fca657"
  /// Nobody has used a pod for the time that its tier says: it is frozen or stopped.
  case podIdle = "9b63bdb8e35f4f309957f68c35f72b18"
  /// The host, or pods.slice, is short of memory.
  case memoryShort = "8dd7f30b3253469aa29871dc4b645b02"
  /// A pod gave up memory in a shortage: what it did, its position in the sequence, and how much that freed.
  case podGaveMemory = "2d1fc8c1080645d18106b53ffd90f73f"
  /// Memory is no longer short.
  case memoryEased = "01c9d7b3290f4aad9aee48fa5e4ff90d"
  /// An operator stopped a pod.
  case podStoppedByOperator = "e83f1552089a428694149f9efa5d9751"
  /// A caller was not permitted to do what it requested.
  case accessDenied = "45323b26edf444e09b6c45f6facd42be"
  /// A settings file is wrong.
  case settingsError = "f89c24262263486f8c036e7dd0ea8d66"
  /// The host lacks something without which pods cannot be isolated.
  case hostUnfit = "5b2367a7c8c542e0beddaa402af7f51c"
  /// The packet filter rules have been removed.
  case firewallLost = "cce67fa81baa40a48ae2691093235553"
  /// The limits in force differ from the tier's.
  case limitsMismatch = "001bda89e0df41b98d5eedcf682d1d3d"
  /// The database of the memory history was unusable, and a new one was created.
  case historySetAside = "94defd2068b8417e876c3b68c64e24a6"
  /// Running scopes and recorded generations were compared.
  case reconciled = "6de73549ccda4a2192d466a7d8916f6a"
  /// A pod leaks memory; the entry says what is done about it.
  case podLeaks = "909ca4ee176842c58bafd71371dfd161"
  /// A pod is recycled because it leaks.
  case podLeakRecycled = "d318ee73f258453dab5e4eea40e8ccf6"
  /// All pods of a workload leak.
  case versionLeaks = "78f7546c7430433daca3809a3443bc6b"
  /// A pod stalls at its memory limit.
  case podStalls = "cb09c5fc2deb44d38045973c11ad623a"
  /// A pod is replaced because it stalled at its memory limit for too long.
  case podStallTreated = "e001099fbc63458593d9862d30bf1be6"
  /// A scope that belongs to no pod was stopped.
  case orphanScopeStopped = "81b7baa8ab0a434a955d76364367ca5c"
}
