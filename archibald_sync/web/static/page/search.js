// A form of a search that answers while one types: any form with data-search="URL" sends its
// fields there and puts the answer in the place of the element whose id data-into names.
// What is chosen stands in the address: back, forward and sharing work; without this script
// the form is sent as any other.
import { tell } from "./acts.js";
import { words } from "./data.js";
import { morph } from "./morph.js";
import { LoggedOut, ask, goToLogin } from "./session.js";
import { showTimes } from "./times.js";

const PAUSE_MS = 200;
let timer = null;
let asking = null;

const form = document.querySelector("form[data-search]");
if (form) start();

function start() {
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(timer);
    timer = setTimeout(() => search(true), PAUSE_MS);
  });
  form.addEventListener("change", (event) => {
    if (event.target.type !== "search") search(false);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search(false);
  });
  addEventListener("popstate", () => {
    fill(new URLSearchParams(location.search));
    show(location.search);
  });
}

// While one types, the address goes along in one step of the way back.
function search(isTyping) {
  clearTimeout(timer);
  const query = chosen();
  const url = form.action + query;
  if (url === location.href.split("#")[0]) return undefined;
  if (isTyping && history.state?.isTyping) history.replaceState({ isTyping }, "", url);
  else history.pushState({ isTyping }, "", url);
  return show(query);
}

function chosen() {
  const fields = [...new FormData(form)].filter(([, value]) => value.trim());
  return fields.length ? `?${new URLSearchParams(fields)}` : "";
}

function fill(parameters) {
  for (const field of form.elements) {
    if (!field.name) continue;
    if (field.type === "checkbox") field.checked = parameters.has(field.name);
    else field.value = parameters.get(field.name) ?? "";
  }
}

async function show(query) {
  asking?.abort();
  const mine = new AbortController();
  asking = mine;
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await ask(form.dataset.search + query, { signal: mine.signal });
    if (!answer.ok) return tell("bad", words("failed", answer.status));
    place(await answer.text());
  } catch (error) {
    if (error instanceof LoggedOut) goToLogin();
    else if (error.name !== "AbortError") tell("bad", words("unreachable"));
  } finally {
    if (asking === mine) form.removeAttribute("aria-busy");
  }
  return undefined;
}

function place(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").body.firstElementChild;
  showTimes(fresh);
  morph(document.getElementById(form.dataset.into), fresh);
}
