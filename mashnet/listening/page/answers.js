// What becomes of a listener's answers; and in which order that listener hears the clips.
//
// An answer is kept in this browser (localStorage) before it is sent, and stays in a queue there
// until the server has said that it is stored: a reload, a closed lid or a dead server lose nothing.
// What is seen, and `test`, `participant` and `sound`, is in page.js.
"use strict";

const RETRY_MS = 3000;
const REFUSED = [400, 413, 422]; // the server will never take these; anything else is tried again
let sending = false;

// ---- order: the same lines as mashnet/listening/order.py -----------------------------------------

function mixed(text) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193);
  value ^= value >>> 16;
  value = Math.imul(value, 0x85ebca6b);
  value ^= value >>> 13;
  value = Math.imul(value, 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function orderOf(testId, person, items) {
  const keyed = items.map((item) => [mixed(`${testId}|${person}|${item}`), item]);
  keyed.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
  return keyed.map((pair) => pair[1]);
}

// ---- what this browser keeps ---------------------------------------------------------------------

const memory = {}; // what the browser would not keep (private windows, full): a reload asks the server

function kept(name, fallback) {
  const key = `mashnet-listening|${test.test}|${participant}|${name}`;
  if (key in memory) return memory[key] ?? fallback;
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function keep(name, value) {
  const key = `mashnet-listening|${test.test}|${participant}|${name}`;
  try {
    localStorage.setItem(key, JSON.stringify(value));
    delete memory[key];
  } catch {
    memory[key] = value;
  }
}

function random128() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// ---- sending -------------------------------------------------------------------------------------

async function send() {
  if (sending) return;
  sending = true;
  try {
    let waiting;
    while ((waiting = kept("queue", [])).length) {
      const rating = waiting[0];
      const reply = await fetch("api/ratings", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(rating),
      });
      if (REFUSED.includes(reply.status)) {
        const reason = (await reply.json().catch(() => ({}))).reason || reply.status;
        keep("refused", [...kept("refused", []), rating]);
        problem(`The server did not take an answer: ${reason}. Please tell the people who sent you here.`);
      } else if (!reply.ok) {
        break;
      }
      // Read again: another window may have added to it meanwhile.
      keep("queue", kept("queue", []).filter((one) => one.token !== rating.token));
      if (sound.error) sound.load(); // the server is back: so is the clip that could not be had
    }
  } catch {
    // no server: the next round tries again
  } finally {
    sending = false;
    tell();
  }
}
