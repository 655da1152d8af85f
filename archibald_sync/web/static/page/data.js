// What the server tells the script: words in the viewer's language, addresses, instants.
const element = document.getElementById("page-data");

export const data = JSON.parse(element.textContent);

// English or Italian as the page is, in the viewer's own variety of it.
const lang = document.documentElement.lang;
export const language = navigator.languages.find((one) => one.split("-")[0] === lang) ?? lang;

// The viewer's clock may be wrong: all instants are the server's.
const ahead = data.now - Date.now();

export function serverNow() {
  return Date.now() + ahead;
}

export function words(key, value = "") {
  return data.strings[key].replace("%s", value);
}

// What the API says is wrong, in the viewer's language; unknown sentences stay as they are.
export function problem(text) {
  for (const [pattern, translated] of data.problems) {
    const found = String(text).match(new RegExp(`^${pattern}$`));
    if (found) return found.slice(1).reduce((whole, value) => whole.replace("%s", () => value), translated);
  }
  return text;
}
