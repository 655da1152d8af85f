// What the pages for admins need beside acts: a secret that is shown once, and days as filters.

const dialog = document.getElementById("secret");
const value = document.getElementById("secret-value");
const copied = document.getElementById("secret-copied");

document.addEventListener("acted", (event) => {
  const { secret, secretTitle, secretLabel } = event.target.dataset;
  if (secret && event.detail[secret]) show(event.detail[secret], secretTitle, secretLabel);
});
document.getElementById("secret-copy").addEventListener("click", copy);
// Escape must not throw away what nobody can show again; older browsers do not know closedby.
dialog.addEventListener("cancel", (event) => event.preventDefault());
dialog.addEventListener("close", () => {
  value.value = "";
});

for (const form of document.querySelectorAll("form[data-filter]")) startFilter(form);

function show(secret, title, label) {
  document.getElementById("secret-title").textContent = title;
  document.getElementById("secret-label").textContent = label;
  copied.textContent = "";
  value.value = secret;
  dialog.showModal();
  value.select();
}

async function copy() {
  value.select();
  try {
    await navigator.clipboard.writeText(value.value);
    copied.textContent = copied.dataset.copied;
  } catch {
    copied.textContent = copied.dataset.failed;
  }
}

// A day begins at the viewer's midnight; the last one counts whole.
function startFilter(form) {
  for (const field of form.querySelectorAll("[data-day]")) {
    const sent = field.nextElementSibling;
    const shift = field.dataset.day === "last" ? 1 : 0;
    if (sent.value) field.value = dayOf(Number(sent.value), -shift);
    field.addEventListener("change", () => {
      sent.value = field.value ? midnight(field.value, shift) : "";
    });
  }
  // Fields left empty stay out of the address.
  form.addEventListener("submit", () => {
    for (const field of form.elements) field.disabled = field.name !== "" && field.value === "";
  });
  addEventListener("pageshow", () => {
    for (const field of form.elements) field.disabled = false;
  });
}

function midnight(day, shift) {
  const [year, month, date] = day.split("-").map(Number);
  return new Date(year, month - 1, date + shift).getTime();
}

function dayOf(instant, shift) {
  const then = new Date(instant);
  const day = new Date(then.getFullYear(), then.getMonth(), then.getDate() + shift);
  const two = (n) => String(n).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
