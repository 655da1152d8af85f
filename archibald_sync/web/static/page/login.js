// The form of the login: first tries whether an earlier login goes on, then asks.
import { words } from "./data.js";
import { TRIED, csrfToken, forget, remember, renew } from "./session.js";

const NOT_AGAIN_MS = 10000;

export async function startLogin() {
  const form = document.getElementById("login");
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    logIn(form);
  });
  if (await goesOn()) location.replace(form.dataset.next);
}

// A page that refuses a login just renewed would send us here for ever.
async function goesOn() {
  const triedAt = Number(sessionStorage.getItem(TRIED) ?? 0);
  if (!csrfToken() || Date.now() - triedAt < NOT_AGAIN_MS) return false;
  sessionStorage.setItem(TRIED, String(Date.now()));
  forget();
  try {
    return await renew();
  } catch {
    return false;
  }
}

async function logIn(form) {
  const note = document.getElementById("login-answer");
  const body = { username: form.username.value, password: form.password.value, cookie: true };
  note.hidden = true;
  form.dataset.underway = "";
  const problem = await send(form.action, body);
  if (!problem) return location.replace(form.dataset.next);
  delete form.dataset.underway;
  note.textContent = problem;
  note.hidden = false;
  form.password.select();
  return undefined;
}

async function send(url, body) {
  const headers = { "Content-Type": "application/json" };
  try {
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (answer.status === 401) return words("wrongPassword");
    if (answer.status === 429) return words("throttled");
    const told = await answer.json();
    if (!answer.ok) return words("failed", told.detail);
    remember(told.expiresAt);
    return csrfToken() ? null : words("notKept");
  } catch {
    return words("unreachable");
  }
}
