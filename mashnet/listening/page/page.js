// The listening test in a browser: what is seen and heard. No library, nothing from elsewhere.
"use strict";

const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const SETTLING_MS = 500; // after a clip was opened: an Enter that is held down is not an answer

let test, participant, order, answers, current;

// ---- beginning -----------------------------------------------------------------------------------

async function begin() {
  try {
    const reply = await fetch("test.json", { cache: "no-store" });
    if (!reply.ok) throw new Error(String(reply.status));
    test = await reply.json();
  } catch {
    return problem("The test cannot be loaded: its server does not answer.", begin);
  }
  const given = new URLSearchParams(location.search).get("p");
  if (given !== null && !NAME.test(given)) {
    return problem("This link is not complete: the name after ?p= may hold letters, digits, dots and dashes only.");
  }
  participant = given ?? remembered();
  history.replaceState(null, "", `${location.pathname}?p=${participant}`);
  order = orderOf(test.test, participant, test.items.map((item) => item.id));
  makeQuestions();
  await collectAnswers();
  if (Object.keys(answers).length) return goOn();
  $("clip-count").textContent = order.length;
  const seconds = test.items.reduce((sum, item) => sum + item.duration_s + 20, 0);
  const minutes = Math.ceil(seconds / 60);
  $("minutes").textContent = minutes === 1 ? "a minute" : `${minutes} minutes`;
  $("own-link").textContent = location.href;
  show("welcome");
}

function remembered() {
  // Who comes back without the own link, in the same browser, goes on as well.
  const key = `mashnet-listening|${test.test}`;
  let name = null;
  try {
    name = localStorage.getItem(key);
    if (name === null || !NAME.test(name)) localStorage.setItem(key, (name = random128().slice(0, 12)));
  } catch {
    name = random128().slice(0, 12);
  }
  return name;
}

async function collectAnswers() {
  answers = kept("answers", {});
  try {
    const reply = await fetch(`api/answers/${participant}`, { cache: "no-store" });
    if (reply.ok) {
      compareWith(await reply.json());
    }
  } catch {
    // without the server: what this browser knows
  }
  for (const item of Object.keys(answers)) if (!order.includes(item)) delete answers[item];
  keep("answers", answers);
  send();
}

function compareWith(stored) {
  // What the server does not have, though it once said so, is sent again: its file may be lost.
  const queue = kept("queue", []);
  const refused = kept("refused", []);
  const isKnown = (token) => [...queue, ...refused].some((one) => one.token === token);
  for (const [item, answer] of Object.entries(answers)) {
    if (!answer.token || isKnown(answer.token)) continue; // it waits here, and is the last
    if (stored[item] && stored[item].tokens.includes(answer.token)) {
      answers[item] = stored[item]; // this one, or what another browser said since
    } else if (order.includes(item)) {
      queue.push({ ...answer, test: test.test, participant, item, position: order.indexOf(item) + 1 });
    }
  }
  for (const item of Object.keys(stored)) if (!answers[item]) answers[item] = stored[item];
  for (const item of Object.keys(answers)) delete answers[item].tokens;
  for (const rating of queue) delete rating.tokens;
  keep("queue", queue);
}

function goOn() {
  const next = order.findIndex((item) => !answers[item]);
  if (next < 0) finish();
  else open(next);
}

// ---- one clip ------------------------------------------------------------------------------------

function makeQuestions() {
  for (const question of test.questions) {
    const box = document.createElement("fieldset");
    box.className = "question";
    box.dataset.name = question.name;
    box.append(element("legend", question.text));
    const choices = element("div", "", "choices");
    for (let value = 1; value <= 5; value += 1) {
      const meaning = value === 1 ? ` (${question.low})` : value === 5 ? ` (${question.high})` : "";
      choices.append(choice(question.name, String(value), String(value), `${value}${meaning}`));
    }
    const ends = element("div", "", "ends");
    ends.append(element("span", question.low), element("span", question.high));
    ends.setAttribute("aria-hidden", "true");
    box.append(choices, ends);
    $("questions").append(box);
  }
  const heard = $("heard");
  heard.dataset.name = "heard";
  heard.querySelector("legend").textContent = test.heard.text;
  for (const [value, text] of Object.entries(test.heard.answers)) {
    heard.querySelector(".choices").append(choice("heard", value, text, text));
  }
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

function choice(name, value, text, meaning) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "radio", name, value });
  input.setAttribute("aria-label", meaning);
  label.append(input, element("span", text));
  return label;
}

function open(index) {
  const item = order[index];
  const duration = test.items.find((one) => one.id === item).duration_s;
  const draft = kept("draft", null);
  const known = draft && draft.item === item ? draft : answers[item];
  current = {
    index,
    item,
    duration,
    required: Math.min(test.listen_s, duration / 2),
    listened: known ? known.listened_s : 0,
    opened: performance.now(),
    at: 0,
  };
  $("form").reset();
  for (const name of names()) if (known && known[name] !== undefined) mark(name, known[name]);
  $("comment").value = (known && known.comment) || "";
  $("clip-title").textContent = `Clip ${index + 1} of ${order.length}`;
  $("back").disabled = index === 0;
  $("next").textContent = index === order.length - 1 ? "Finish" : "Next";
  $("missing").textContent = "";
  for (const box of document.querySelectorAll(".question")) box.classList.remove("wanting");
  problem("");
  $("seek").max = duration;
  sound.src = `audio/${item}.flac`;
  sound.load();
  showTime();
  lock();
  show("clip");
  window.scrollTo(0, 0);
  $("clip-title").focus({ preventScroll: true });
}

const names = () => [...test.questions.map((question) => question.name), "heard"];
const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;

function mark(name, value) {
  const input = document.querySelector(`input[name="${name}"][value="${value}"]`);
  if (input) input.checked = true;
}

function given() {
  const values = { comment: $("comment").value.trim(), listened_s: Math.round(current.listened * 100) / 100 };
  for (const name of names()) {
    const value = chosen(name);
    if (value !== undefined) values[name] = name === "heard" ? value : Number(value);
  }
  return values;
}

function saveDraft() {
  keep("draft", { item: current.item, ...given() });
}

function lock() {
  const locked = current.listened < current.required;
  $("questions").disabled = locked;
  $("heard").disabled = locked;
  $("comment").disabled = locked;
  $("form").classList.toggle("locked", locked);
  const left = Math.ceil(current.required - current.listened);
  $("listen-hint").textContent = locked ? `Listen for ${left} more second${left === 1 ? "" : "s"} before you answer.` : "";
}

function submit(event) {
  event.preventDefault();
  if (performance.now() - current.opened < SETTLING_MS) return;
  const values = given();
  const wanting = names().filter((name) => values[name] === undefined);
  for (const box of document.querySelectorAll(".question")) {
    box.classList.toggle("wanting", wanting.includes(box.dataset.name));
  }
  if (current.listened < current.required) {
    $("missing").textContent = "Please listen to the clip first.";
    return;
  }
  if (wanting.length) {
    $("missing").textContent = wanting.length === 1 ? "One question is still open." : `${wanting.length} questions are still open.`;
    document.querySelector(`input[name="${wanting[0]}"]`).focus();
    return;
  }
  store(values);
  sound.pause();
  const before = current.index;
  if (before + 1 < order.length && answers[order[before + 1]]) open(before + 1); // on the way back through old answers
  else goOn();
}

function store(values) {
  const old = answers[current.item];
  const same = old && [...names(), "comment"].every((name) => old[name] === values[name]);
  keep("draft", null);
  if (same) return;
  const rating = {
    ...values,
    test: test.test,
    participant,
    position: current.index + 1,
    item: current.item,
    rated_at: new Date().toISOString(),
    token: random128(), // the same however often it is sent: stored once
  };
  answers[current.item] = rating;
  keep("answers", answers);
  keep("queue", [...kept("queue", []), rating]);
  send();
}

// ---- end -----------------------------------------------------------------------------------------

function finish() {
  const waiting = kept("queue", []).length;
  const refused = kept("refused", []).length;
  let text = `You have rated all ${order.length} clips, and every answer is stored. You can close this page.`;
  if (refused) text = "Some answers were not taken by the server. Please download your answers and send the file to the people who sent you here.";
  else if (waiting) text = `You have rated all ${order.length} clips. ${waiting} of your answers could not be sent yet: leave this page open, come back later by the same link, or download your answers and send the file.`;
  $("done-text").textContent = text;
  if ($("done").hidden) {
    show("done");
    $("done-title").focus({ preventScroll: true });
  }
}

function download() {
  const cell = (value) => {
    const text = String(value ?? "").replace(/[\u0000-\u001f\u007f\u0085\u2028\u2029]+/g, " ");
    return /[",;]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const rows = order
    .filter((item) => answers[item])
    .map((item) => {
      const answer = { ...answers[item], test: test.test, participant, item, position: order.indexOf(item) + 1 };
      answer.comment = (answer.comment || "").replace(/(^|;[\s"]*)(?=[=+@-])/g, "$1'"); // no formula, as the server has it
      return test.columns.map((column) => cell(answer[column])).join(",");
    });
  const text = [test.columns.join(","), ...rows].join("\n") + "\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `ratings-${participant}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// ---- what is seen --------------------------------------------------------------------------------

function tell() {
  const waiting = kept("queue", []).length;
  const line = $("connection");
  line.classList.toggle("waiting", waiting > 0);
  if (waiting) {
    const them = waiting === 1 ? "1 answer waits" : `${waiting} answers wait`;
    line.textContent = `The server cannot be reached. ${them} in this browser and will be sent later.`;
  } else {
    line.textContent = Object.keys(answers).length ? "All answers are stored." : "";
  }
  if (!$("done").hidden) finish();
  progress();
}

function progress() {
  const done = order.filter((item) => answers[item]).length;
  $("bar-done").style.width = `${(100 * done) / order.length}%`;
  const bar = document.querySelector("#progress .bar");
  bar.setAttribute("aria-valuemax", order.length);
  bar.setAttribute("aria-valuenow", done);
  $("progress-text").textContent = `${done} of ${order.length} rated`;
}

function show(name) {
  for (const id of ["welcome", "clip", "done"]) $(id).hidden = id !== name;
  $("progress").hidden = name === "welcome";
  progress();
}

function problem(text, again = null) {
  const box = $("problem");
  box.hidden = !text;
  box.textContent = text;
  if (again) {
    const button = element("button", "Try again");
    button.type = "button";
    button.addEventListener("click", () => {
      problem("");
      again();
    });
    box.append(" ", button);
  }
}

$("start").addEventListener("click", goOn);
$("form").addEventListener("submit", submit);
$("form").addEventListener("input", saveDraft);
$("next").addEventListener("click", (event) => {
  if (event.detail > 1) event.preventDefault(); // the second half of a double click
});
$("back").addEventListener("click", () => {
  sound.pause();
  open(current.index - 1);
});
$("review").addEventListener("click", () => open(order.length - 1));
$("download").addEventListener("click", download);
window.addEventListener("online", send);
setInterval(() => {
  if (test && participant && kept("queue", []).length) send();
}, RETRY_MS);
begin();
