// Instants in the viewer's time zone and language, counted on each second.
// The server renders them in UTC, which stays in the tooltip.
import { language, serverNow } from "./data.js";

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const sameDay = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit" });
const withSeconds = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
const otherDay = new Intl.DateTimeFormat(language, {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});
const otherYear = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });

export function startTimes() {
  showTimes(document);
  setInterval(() => showTimes(document), 1000);
}

export function showTimes(root) {
  for (const element of root.querySelectorAll("time[data-show]")) {
    const text = written(element.dataset.show, Date.parse(element.dateTime));
    if (element.textContent !== text) element.textContent = text;
  }
}

export function clock(instant) {
  const then = new Date(instant);
  const now = new Date(serverNow());
  if (then.toDateString() === now.toDateString()) return sameDay.format(then);
  return (then.getFullYear() === now.getFullYear() ? otherDay : otherYear).format(then);
}

function written(show, instant) {
  const seconds = Math.round((instant - serverNow()) / 1000);
  if (show === "relative") return ago(seconds);
  if (show === "countdown") return seconds > 0 ? counted(seconds) : relative.format(0, "second");
  if (show === "seconds") return withSeconds.format(new Date(instant));
  if (show === "elapsed") return digits(Math.max(-seconds, 0));
  return clock(instant);
}

function ago(seconds) {
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

function counted(seconds) {
  if (seconds >= 5400) return ago(seconds);
  // "in 12 minutes" in this language, with the digits of a clock in place of the words.
  const parts = relative.formatToParts(5, "minute");
  const first = parts.findIndex((part) => part.type === "integer");
  return parts.slice(0, first).map((part) => part.value).join("") + digits(seconds);
}

function digits(seconds) {
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = two(seconds % 60);
  return hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
}
