// The switch of the colours; a cookie, so that the server renders the right ones at once.
const YEAR_S = 365 * 24 * 3600;

export function startTheme() {
  const select = document.getElementById("theme");
  // A browser that goes back keeps the choice of the form, not that of the page.
  select.value = document.documentElement.dataset.theme ?? "";
  select.addEventListener("change", () => {
    const theme = select.value;
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    const age = theme ? YEAR_S : 0;
    document.cookie = `theme=${theme}; Path=/; Max-Age=${age}; SameSite=Lax`;
    document.dispatchEvent(new CustomEvent("theme"));
  });
}
