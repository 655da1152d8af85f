// Regions that keep themselves up to date: any element with data-live="URL" is rendered anew by
// the server, and changed in place. Server-sent events say when; without them it is asked for
// every few seconds, more often while a region has data-busy.
import { data, serverNow, words } from "./data.js";
import { morph } from "./morph.js";
import { LoggedOut, ask, goToLogin } from "./session.js";
import { clock, showTimes } from "./times.js";

const AT_MOST_MS = 1000;
const BUSY_MS = 2000;
const IDLE_MS = 5000;
const WITH_EVENTS_MS = 30000;
const EVENTS_AGAIN_MS = 60000;
// Few may listen, and a place is free again a second after its page was left: whoever only
// passes by takes none.
const SETTLED_MS = 1500;

let events = null;
let timer = null;
let refreshing = null;
let isWantedAgain = false;
let lastAt = 0;
let lostAt = null;
let listensAt = 0;

export function startLive() {
  if (!regions().length) return;
  setTimeout(listen, SETTLED_MS);
  plan();
  document.addEventListener("visibilitychange", () => {
    // A page that nobody sees holds no place at the server.
    if (document.hidden) return stop();
    return refreshLive();
  });
  addEventListener("online", refreshLive);
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => event.persisted && refreshLive());
}

export function refreshLive() {
  clearTimeout(timer);
  if (refreshing) {
    isWantedAgain = true;
    return refreshing;
  }
  refreshing = refresh().finally(() => {
    refreshing = null;
    plan();
  });
  return refreshing;
}

function regions() {
  return [...document.querySelectorAll("[data-live]")];
}

async function refresh() {
  lastAt = Date.now();
  isWantedAgain = false;
  try {
    await Promise.all(regions().filter((one) => !one.dataset.follows).map(renewed));
    await Promise.all(regions().filter(isBehind).map(renewed));
    found();
  } catch (error) {
    if (error instanceof LoggedOut) goToLogin();
    else lost();
  }
}

// A region with data-follows="ID" is asked for only when that one has another data-version.
function isBehind(region) {
  const leader = document.getElementById(region.dataset.follows ?? "");
  return leader !== null && leader.dataset.version !== region.dataset.version;
}

async function renewed(region) {
  const answer = await ask(region.dataset.live);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
  showTimes(fresh);
  morph(region, fresh);
  showTimes(region);
  region.dispatchEvent(new CustomEvent("renewed", { bubbles: true }));
}

function plan() {
  clearTimeout(timer);
  if (document.hidden) return;
  timer = setTimeout(refreshLive, isWantedAgain ? soon() : pause());
}

function pause() {
  if (events?.readyState === EventSource.OPEN && !lostAt) return WITH_EVENTS_MS;
  return document.querySelector("[data-live][data-busy]") ? BUSY_MS : IDLE_MS;
}

function soon() {
  return Math.max(lastAt + AT_MOST_MS - Date.now(), 0);
}

// Only after an answer: then the service is there and the login holds. Otherwise the browser
// would ask in vain, and fill its console with it.
function listen() {
  if (!data.events || events || document.hidden || Date.now() < listensAt) return;
  events = new EventSource(data.events);
  events.onopen = refreshLive;
  events.addEventListener("state", changed);
  events.onerror = () => {
    // Refused: too many listen already. Otherwise the stream has ended, as each does in time.
    const isRefused = events?.readyState === EventSource.CLOSED;
    stopListening();
    listensAt = Date.now() + (isRefused ? EVENTS_AGAIN_MS : AT_MOST_MS);
    refreshLive();
  };
}

function changed() {
  isWantedAgain = true;
  if (!refreshing) plan();
}

function stopListening() {
  events?.close();
  events = null;
}

function stop() {
  clearTimeout(timer);
  stopListening();
}

function lost() {
  lostAt ??= serverNow();
  const note = document.getElementById("connection");
  note.textContent = words("lostSince", clock(lostAt));
  note.hidden = false;
}

function found() {
  lostAt = null;
  document.getElementById("connection").hidden = true;
  listen();
}
