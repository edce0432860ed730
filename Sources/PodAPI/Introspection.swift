/// What `Introspect` answers: the text of org.podctl1.xml, the contract, to the letter (a test compares them).
public enum Introspection {
  public static let xml = """
    <!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"
     "https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">
    <!-- The contract of /org/podctl1 on the system bus. podd's vtable and the man page org.podctl1(5) are
         checked against this file by a test. Row types, in the order of their fields:

         PodRow   s pod, s tier, s state, s unit, u main_pid, s address, s front_address, q port, u users,
                  t generation, t restarts, t memory_current, t memory_anon, t memory_max, s last_exit_reason, t since
         UserRow  s user, s tier, s pod, s state, t data_bytes, s status
         TierRow  s tier, u users_per_pod, t data_max, t memory_max, t memory_high, t cpu_quota_per_sec_usec,
                  t tasks_max, s workload, u pods, u users, s source
         MinuteRow  t time_usec, t generation, t anon, t swap, t file, t current, t current_max, u active_users,
                    t pressure_some_usec, t pressure_full_usec, t cpu_usec
         UsageRow  s pod, s tier, s state, t memory_current, t memory_anon, t memory_max, t memory_high,
                   u pressure_some_avg10, t cpu_usage_usec, t restarts, u users, t generation, t read_usec

         "" stands for no value in a string, 0 in main_pid and since, 18446744073709551615 in a size or a
         limit. Sizes are bytes; since is CLOCK_REALTIME in microseconds.

         GetHistory: the minutes that began from since_usec to until_usec (18446744073709551615 for no end), oldest first,
         at most limit of them; 0 stands for as many as one answer may have. pressure_some_avg10 is in hundredths of a
         percent, 4294967295 for no value; read_usec is CLOCK_MONOTONIC.

         Rollout: mode is "restart", "resume" or "revert"; 0 in max_parallel and 18446744073709551615 in
         healthy_usec stand for podd's defaults. -->
    <node name="/org/podctl1">
      <interface name="org.podctl1.Manager">
        <method name="Provision">
          <arg name="user" type="s" direction="in"/>
          <arg name="tier" type="s" direction="in"/>
          <arg name="cold" type="b" direction="in"/>
          <arg name="placed_user" type="s" direction="out"/>
          <arg name="placed_tier" type="s" direction="out"/>
          <arg name="pod" type="s" direction="out"/>
          <arg name="unit" type="s" direction="out"/>
          <arg name="address" type="s" direction="out"/>
          <arg name="front_address" type="s" direction="out"/>
          <arg name="port" type="q" direction="out"/>
          <arg name="state" type="s" direction="out"/>
          <arg name="created" type="b" direction="out"/>
        </method>
        <method name="Deprovision">
          <arg name="user" type="s" direction="in"/>
          <arg name="purge" type="b" direction="in"/>
        </method>
        <method name="ListPods">
          <arg name="pods" type="a(ssssussqutttttst)" direction="out"/>
        </method>
        <method name="ListUsers">
          <arg name="users" type="a(ssssts)" direction="out"/>
        </method>
        <method name="ListTiers">
          <arg name="tiers" type="a(sutttttsuus)" direction="out"/>
        </method>
        <method name="GetPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="properties" type="a{sv}" direction="out"/>
        </method>
        <method name="GetUser">
          <arg name="user" type="s" direction="in"/>
          <arg name="properties" type="a{sv}" direction="out"/>
        </method>
        <method name="GetStatus">
          <arg name="properties" type="a{sv}" direction="out"/>
        </method>
        <method name="GetHistory">
          <arg name="pod" type="s" direction="in"/>
          <arg name="since_usec" type="t" direction="in"/>
          <arg name="until_usec" type="t" direction="in"/>
          <arg name="limit" type="u" direction="in"/>
          <arg name="minutes" type="a(tttttttuttt)" direction="out"/>
        </method>
        <method name="ListUsage">
          <arg name="pods" type="a(sssttttuttutt)" direction="out"/>
        </method>
        <method name="StartPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="StopPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="RestartPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="ResetPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="RecyclePod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="dry_run" type="b" direction="in"/>
          <arg name="state" type="s" direction="out"/>
          <arg name="plan" type="s" direction="out"/>
        </method>
        <method name="EvictPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="dry_run" type="b" direction="in"/>
          <arg name="state" type="s" direction="out"/>
          <arg name="plan" type="s" direction="out"/>
        </method>
        <method name="FreezePod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="ThawPod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="WakePod">
          <arg name="pod" type="s" direction="in"/>
          <arg name="state" type="s" direction="out"/>
        </method>
        <method name="Rollout">
          <arg name="tier" type="s" direction="in"/>
          <arg name="max_parallel" type="u" direction="in"/>
          <arg name="healthy_usec" type="t" direction="in"/>
          <arg name="mode" type="s" direction="in"/>
          <arg name="replaced" type="u" direction="out"/>
          <arg name="total" type="u" direction="out"/>
        </method>
        <method name="CheckInvariants">
          <arg name="violations" type="as" direction="out"/>
        </method>
        <method name="AttachFrontDoor"/>
        <method name="AcknowledgeHold">
          <arg name="hold" type="t" direction="in"/>
        </method>
        <method name="Reload"/>
        <signal name="PodStateChanged">
          <arg name="pod" type="s"/>
          <arg name="state" type="s"/>
          <arg name="generation" type="t"/>
          <arg name="reason" type="s"/>
        </signal>
        <signal name="RolloutProgress">
          <arg name="tier" type="s"/>
          <arg name="done" type="u"/>
          <arg name="total" type="u"/>
          <arg name="pod" type="s"/>
          <arg name="state" type="s"/>
        </signal>
        <signal name="HoldPod">
          <arg name="pod" type="s"/>
          <arg name="hold" type="t"/>
          <arg name="timeout_usec" type="t"/>
        </signal>
        <signal name="ReleasePod">
          <arg name="pod" type="s"/>
          <arg name="hold" type="t"/>
        </signal>
        <property name="Version" type="s" access="read"/>
        <property name="NPods" type="u" access="read"/>
        <property name="NUsers" type="t" access="read"/>
      </interface>
    </node>

    """
}
