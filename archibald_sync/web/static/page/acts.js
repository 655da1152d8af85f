// Forms that act: each sends its values to the API as JSON and tells what became of it.
import { problem, words } from "./data.js";
import { areRepeated, clearFaults, showFaults } from "./faults.js";
import { refreshLive } from "./live.js";
import { LoggedOut, ask, forget, goToLogin } from "./session.js";

const SHOWN_MS = 8000;

export function startActs() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-act]")) return;
    event.preventDefault();
    act(event.target);
  });
}

async function act(form) {
  const obstacle = form.querySelector("[aria-disabled=true]");
  if (obstacle) return tell("warn", obstacle.title);
  clearFaults(form);
  document.getElementById("answers").replaceChildren();
  if ("underway" in form.dataset || !areRepeated(form) || !(await isWanted(form))) return;
  form.dataset.underway = "";
  try {
    await carryOut(form);
  } catch (error) {
    if (error instanceof LoggedOut) goToLogin();
    else tell("bad", words("unreachable"));
  } finally {
    delete form.dataset.underway;
  }
}

async function carryOut(form) {
  const answer = await ask(form.action, {
    method: form.dataset.method ?? "POST",
    headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() },
    body: JSON.stringify(bodyOf(form)),
  });
  const told = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) return tellRefusal(form, told, answer.status);
  if ("reset" in form.dataset) form.reset();
  form.dispatchEvent(new CustomEvent("acted", { bubbles: true, detail: told }));
  if (form.dataset.goto) {
    if (answer.status === 204) forget();
    return location.assign(filled(form.dataset.goto, told));
  }
  tell("good", filled(form.dataset.done ?? words("done"), told));
  return refreshLive();
}

// What is wrong with a field stands beside it; everything else is told as an answer.
function tellRefusal(form, told, status) {
  if (showFaults(form, told.errors ?? {})) return undefined;
  const texts = told.errors ? Object.values(told.errors).flat() : [told.detail ?? status];
  return tell("bad", words("failed", texts.map(problem).join("; ")));
}

// Every named input by its type; what the form itself carries comes first, and what is left
// empty without being required is not sent.
function bodyOf(form) {
  const body = JSON.parse(form.dataset.body ?? "{}");
  for (const field of form.elements) {
    if (!field.name || (field.value === "" && !field.required)) continue;
    if (field.type === "number") body[field.name] = field.valueAsNumber;
    else if (field.type === "checkbox") body[field.name] = field.checked;
    else body[field.name] = field.value;
  }
  return body;
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Browsers tell later that a dialog has closed: it may be open again, for another question.
let declineLast = () => {};

function isWanted(form) {
  if (!form.dataset.question) return true;
  const dialog = document.getElementById("confirm");
  document.getElementById("confirm-question").textContent = form.dataset.question;
  dialog.returnValue = "no";
  dialog.showModal();
  declineLast();
  return new Promise((resolve) => {
    declineLast = () => resolve(false);
    dialog.addEventListener("close", function closed() {
      if (dialog.open) return;
      dialog.removeEventListener("close", closed);
      resolve(dialog.returnValue === "yes");
    });
  });
}

export function tell(tone, text) {
  const note = document.createElement("p");
  note.className = `note ${tone}`;
  note.textContent = text;
  const answers = document.getElementById("answers");
  answers.replaceChildren(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
