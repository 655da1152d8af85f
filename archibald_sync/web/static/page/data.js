// What the server tells the script: words in the viewer's language, addresses, instants.
const element = document.getElementById("page-data");

export const data = JSON.parse(element.textContent);
export const language = document.documentElement.lang;

// The viewer's clock may be wrong: all instants are the server's.
const ahead = data.now - Date.now();

export function serverNow() {
  return Date.now() + ahead;
}

export function words(key, value = "") {
  return data.strings[key].replace("%s", value);
}
