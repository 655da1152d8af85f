// Starts everything that a page needs; each part looks for its own elements.
import { startActs } from "./acts.js";
import { startLive } from "./live.js";
import { startLogin } from "./login.js";
import { startSession } from "./session.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";

// On a phone the places do not fit: the one that is shown must be seen.
document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
startTimes();
startTheme();
startSession();
startActs();
startLive();
startLogin();
