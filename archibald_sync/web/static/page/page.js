// Starts everything that a page needs; each part looks for its own elements.
import { startActs } from "./acts.js";
import { startLive } from "./live.js";
import { startLogin } from "./login.js";
import { startSession } from "./session.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";

startTimes();
startTheme();
startSession();
startActs();
startLive();
startLogin();
