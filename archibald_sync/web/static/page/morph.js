// Makes an element equal to a new one by changing only what differs, so that focus, what is
// being typed, open details and selections stay.

export function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return undefined;
  }
  // The script owns what is inside of these: written times, drawn charts.
  const isOurs = old.matches("time[data-show], [data-keep]");
  const isUnder = isOurs && old.dataset.keep === fresh.dataset.keep;
  copyAttributes(old, fresh);
  if (!isUnder) morphChildren(old, fresh);
  return undefined;
}

function copyAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !isViewers(old, name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value && !isViewers(old, name)) old.setAttribute(name, value);
  }
}

// What the viewer has done to an element is not undone.
function isViewers(element, name) {
  return name === "data-underway" || (name === "open" && element.matches("details, dialog"));
}

function morphChildren(old, fresh) {
  const kept = new Map([...old.children].filter((one) => one.id).map((one) => [one.id, one]));
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const known = wanted.id && kept.get(wanted.id);
    if (known && known !== at) old.insertBefore(known, at);
    else if (!at || !isSame(at, wanted)) {
      old.insertBefore(wanted, at);
      continue;
    }
    const current = known || at;
    at = current.nextSibling;
    morph(current, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isSame(one, other) {
  return one.nodeName === other.nodeName && (one.id ?? "") === (other.id ?? "");
}
