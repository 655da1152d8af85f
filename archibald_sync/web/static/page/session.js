// The login of this browser: asks the server with the CSRF token, and renews in time.
//
// A refresh token counts once, and showing one twice ends the login; so of all tabs only the
// one that has the lock renews, and only if no other has done so meanwhile.
import { data, serverNow } from "./data.js";

const KEY = "archibald-sync.expiresAt";
const RENEWING = "archibald-sync.renewing";
const EARLY_MS = 3 * 60 * 1000;
const CHECK_MS = 20 * 1000;
const LEFT_MS = 10 * 1000;
const LOOK_MS = 50;
// When the form of the login tried to go on with an earlier one; a page that is shown forgets it.
export const TRIED = "archibald-sync.triedAt";
const REFRESH_URL = "/api/auth/refresh";

export class LoggedOut extends Error {}

export function csrfToken() {
  const found = document.cookie.match(/(?:^|; )__Host-csrf=([^;]*)/);
  return found ? decodeURIComponent(found[1]) : null;
}

export function startSession() {
  if (!data.expiresAt) return;
  remember(data.expiresAt);
  sessionStorage.removeItem(TRIED);
  setInterval(renewInTime, CHECK_MS);
  document.addEventListener("visibilitychange", renewInTime);
}

export async function ask(url, options = {}) {
  // Pages send whoever is not logged in to the form; the API says 401.
  const shown = csrfToken();
  let answer = await send(url, options);
  if (isRefused(answer)) {
    // Whatever its time says, this login was refused: only another one helps.
    if (!(await renew(() => csrfToken() !== shown))) throw new LoggedOut();
    answer = await send(url, options);
    if (isRefused(answer)) throw new LoggedOut();
  }
  return answer;
}

export function goToLogin() {
  const here = location.pathname + location.search;
  location.assign(`${data.login}?next=${encodeURIComponent(here)}`);
}

// Renew unless somebody has done so meanwhile; return whether there is a login.
export function renew(isDone = holds) {
  return navigator.locks.request(KEY, async () => {
    const csrf = csrfToken();
    if (!csrf) return false;
    if (isDone()) return true;
    if (await isRenewedByOneThatLeft(csrf)) return true;
    return exchange(csrf);
  });
}

async function exchange(csrf) {
  localStorage.setItem(RENEWING, JSON.stringify({ csrf, at: Date.now() }));
  // Whoever leaves the page meanwhile must get the new cookies all the same: the old count no more.
  const headers = { "X-CSRF-Token": csrf };
  const answer = await fetch(REFRESH_URL, { method: "POST", headers, keepalive: true });
  // Only with an answer: a page that is left sees its question fail, though it is answered later.
  localStorage.removeItem(RENEWING);
  if (!answer.ok) return forget();
  remember((await answer.json()).expiresAt);
  return true;
}

// A page that is left while it renews loses the lock at once, and its new cookies come later:
// until then the refresh token here is one that counts no more. Wait for the new one.
async function isRenewedByOneThatLeft(csrf) {
  const left = JSON.parse(localStorage.getItem(RENEWING));
  if (left?.csrf !== csrf) return false;
  while (Date.now() < left.at + LEFT_MS && csrfToken() === csrf) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  localStorage.removeItem(RENEWING);
  return csrfToken() !== csrf && csrfToken() !== null;
}

export function remember(instant) {
  localStorage.setItem(KEY, String(instant));
}

export function forget() {
  localStorage.removeItem(KEY);
  return false;
}

function holds() {
  return expiresAt() > serverNow() + EARLY_MS;
}

function expiresAt() {
  return Number(localStorage.getItem(KEY) ?? 0);
}

async function renewInTime() {
  if (document.hidden || holds()) return;
  try {
    await renew();
  } catch {
    // Not reachable now: the next check, or the next question, tries again.
  }
}

function send(url, options) {
  const headers = new Headers(options.headers);
  if (options.method && options.method !== "GET") headers.set("X-CSRF-Token", csrfToken() ?? "");
  return fetch(url, { ...options, headers, redirect: "manual" });
}

function isRefused(answer) {
  return answer.type === "opaqueredirect" || answer.status === 401;
}
