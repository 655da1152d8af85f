// What is wrong with a field of a form stands beside it, and is read out with the field.
import { problem, words } from "./data.js";

export function clearFaults(form) {
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  for (const note of form.querySelectorAll(".fault")) note.hidden = true;
}

// Return whether each error has its field here; then the first of them has the focus.
export function showFaults(form, errors) {
  const places = Object.keys(errors).map((name) => form.querySelector(`[name="${CSS.escape(name)}"]`));
  if (!places.length || !places.every((field) => field && noteOf(field))) return false;
  Object.values(errors).forEach((texts, i) => show(places[i], texts.map(problem).join("; ")));
  places[0].focus();
  return true;
}

// A field with data-repeats="NAME" has no name, is not sent, and must say the same as NAME.
export function areRepeated(form) {
  const other = [...form.querySelectorAll("[data-repeats]")].find(
    (field) => field.value !== form.elements[field.dataset.repeats].value,
  );
  if (!other) return true;
  show(other, words("differs"));
  other.focus();
  return false;
}

function show(field, text) {
  const note = noteOf(field);
  note.textContent = text;
  note.hidden = false;
  field.setAttribute("aria-invalid", "true");
}

function noteOf(field) {
  return document.getElementById(`${field.id}-fault`);
}
