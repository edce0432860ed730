import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** A service on a JVM: garbage, a bounded map of sessions, and KEPT bytes a second that are never let go. */
class Churn {
  public static void main(String[] arguments) throws InterruptedException {
    int kept = Integer.parseInt(arguments[0]);
    Random random = new Random(1);
    Map<Integer, byte[]> sessions = new HashMap<>();
    List<byte[]> forgotten = new ArrayList<>();
    long sum = 0;
    while (true) {
      Thread.sleep(50);
      for (int i = 0; i < 8; i++) {
        sum += new byte[10_000 + random.nextInt(10_000)].length;
      }
      sessions.put(random.nextInt(1500), new byte[4_000 + random.nextInt(8_000)]);
      if (kept > 0) {
        forgotten.add(new byte[kept / 20]);
      }
      if (sum < 0) {
        System.out.println(sum);
      }
    }
  }
}
