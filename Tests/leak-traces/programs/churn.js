// A service on Node: garbage, a bounded map of sessions, and KEPT bytes a second that are never let go.
const kept = Number(process.argv[2]);
const sessions = new Map();
const forgotten = [];
let number = 0;
setInterval(() => {
  for (let i = 0; i < 20; i += 1) {
    const request = Array.from({ length: 200 }, (_, index) => ({ index, text: `entry ${index}` }));
    number += request.length;
  }
  sessions.set(number % 1499, "x".repeat(4000) + number);
  for (let i = 0; i < kept / 20 / 40; i += 1) forgotten.push({ number, at: i, next: [i] });
}, 50);
