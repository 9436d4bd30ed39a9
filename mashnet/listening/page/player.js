// The player, and the keys: P plays and pauses, 1 to 5 answer, Enter goes on.
// How much of a clip was heard is counted here; `current`, the clip, is in page.js.
"use strict";

const PLAY = "M7 4v16l13-8z";
const PAUSE = "M6 4h4v16H6zM14 4h4v16h-4z";
const LONGEST_STEP_S = 1.5; // between two reports of a player's position; longer steps are jumps

const $ = (id) => document.getElementById(id);
const sound = $("sound");

function togglePlay() {
  if (sound.paused) sound.play().catch(() => {});
  else sound.pause();
}

function played() {
  const step = sound.currentTime - current.at;
  if (step > 0 && step < LONGEST_STEP_S) current.listened += step;
  current.at = sound.currentTime;
  showTime();
  if ($("form").classList.contains("locked")) {
    lock();
    saveDraft();
  }
}

function showTime() {
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
  $("time").textContent = `${clock(sound.currentTime)} / ${clock(current.duration)}`;
  $("seek").value = sound.currentTime;
}

function showPlaying() {
  $("play-shape").setAttribute("d", sound.paused ? PLAY : PAUSE);
  $("play").setAttribute("aria-label", sound.paused ? "play" : "pause");
}

function onKey(event) {
  const target = event.target;
  if ($("clip").hidden || event.ctrlKey || event.altKey || event.metaKey || target.tagName === "TEXTAREA") return;
  if (event.key.toLowerCase() === "p") {
    event.preventDefault();
    togglePlay();
  } else if (event.key === "Enter" && target.tagName !== "BUTTON") {
    event.preventDefault();
    $("form").requestSubmit();
  } else if (/^[1-5]$/.test(event.key) && !$("questions").disabled) {
    event.preventDefault();
    answerByKey(Number(event.key), target);
  }
}

function answerByKey(digit, target) {
  const all = names();
  const focused = target.type === "radio" ? target.name : undefined;
  const name = focused ?? all.find((one) => chosen(one) === undefined);
  if (name === undefined) return;
  const inputs = document.querySelectorAll(`input[name="${name}"]`);
  if (digit > inputs.length) return;
  inputs[digit - 1].checked = true;
  saveDraft();
  const next = all[all.indexOf(name) + 1];
  const follower = next ? document.querySelector(`input[name="${next}"]:checked`) ?? document.querySelector(`input[name="${next}"]`) : $("next");
  follower.focus();
}

$("play").addEventListener("click", togglePlay);
$("seek").addEventListener("input", () => {
  sound.currentTime = Number($("seek").value);
  current.at = sound.currentTime;
});
sound.addEventListener("timeupdate", played);
sound.addEventListener("seeking", () => {
  current.at = sound.currentTime;
});
for (const name of ["play", "pause", "ended", "emptied"]) sound.addEventListener(name, showPlaying);
sound.addEventListener("loadedmetadata", () => problem(""));
sound.addEventListener("error", () => {
  if (sound.error && current) problem("This clip cannot be loaded: the server does not answer.", () => sound.load());
});
document.addEventListener("keydown", onKey);
