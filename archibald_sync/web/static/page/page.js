// Starts everything that a page needs; each part looks for its own elements.
import { startActs } from "./acts.js";
import { startLive } from "./live.js";
import { startLogin } from "./login.js";
import { startSession } from "./session.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";

// On a phone the places do not fit: the one that is shown must be seen.
const places = document.querySelector(".places");
const here = places?.querySelector("[aria-current]");
if (here) {
  const [inner, outer] = [here, places].map((one) => one.getBoundingClientRect());
  places.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
}
startTimes();
startTheme();
startSession();
startActs();
startLive();
startLogin();
