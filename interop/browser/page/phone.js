// One phone by two libraries, behind the same functions, which the tests call by name. All of them return
// what JSON can hold, or promises of it. There is one call at a time.
import { jssip } from "./jssip.js";
import { sipjs } from "./sipjs.js";
import { loudest, microphone, tone } from "./sound.js";

// The connection of the phone: it can be cut.
const connections = [];
window.WebSocket = class extends WebSocket {
  constructor(...settings) {
    super(...settings);
    connections.push(this);
  }
};

const libraries = { sipjs, jssip };

window.phone = {
  // What came: texts, and digits by INFO.
  texts: [],
  digits: [],
  // And what became of a transfer.
  notified: [],
  // How the call stands: "calling", "ringing" (it is for us), "established", "ended".
  state: "none",

  async start(library, settings) {
    const stream = async () => (settings.frequency ? tone(settings.frequency) : microphone());
    this.of = libraries[library](settings, this, stream);
    await this.of.start();
    return true;
  },
  async stop() { await this.of.stop(); return true; },
  // Its connection is lost; over when it has another one.
  async cut() {
    connections.at(-1).close();
    await this.of.connected();
    return true;
  },
  register() { return this.of.register(); },
  message(to, text) { return this.of.message(to, text); },
  options(to) { return this.of.options(to); },
  received() { return this.texts; },

  // Resolves to the status of the final response.
  call(to) { this.state = "calling"; return this.of.call(to); },
  dial(to) { this.call(to).catch(() => {}); return true; },
  async answer() { await this.of.answer(); return true; },
  async refuse(status) { await this.of.refuse(status); return true; },
  // BYE, or CANCEL as long as nobody has answered.
  async hangUp() { await this.of.hangUp(); return true; },
  refer(to) { return this.of.refer(to); },
  told() { return this.notified; },
  // By a re-INVITE, or an "update" where the library has that.
  hold(way) { return this.of.hold(way); },
  resume(way) { return this.of.resume(way); },
  // Begins ICE anew, as after a change of its network.
  restart() { return this.of.restart(); },
  // "rtp" is RFC 4733, "info" a request of the call.
  async press(digits, way) { await this.of.press(digits, way); return true; },
  pressed() { return this.digits.join(""); },
  stands() { return this.state; },
  heard(from = 50, to = 4000) { return loudest(this.of.peer(), from, to); },
};
