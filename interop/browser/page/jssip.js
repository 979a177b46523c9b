// JsSIP
import JsSIP from "jssip";

export function jssip({ user, domain, server, password }, phone, stream) {
  const pcConfig = { iceServers: [] };
  let session;

  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(server)],
    uri: `sip:${user}@${domain}`,
    password,
    register: false,
    connection_recovery_min_interval: 1,
  });
  agent.on("newMessage", ({ originator, request }) => {
    if (originator === "remote") phone.texts.push(request.body);
  });
  agent.on("newRTCSession", ({ originator, session: begun }) => {
    session = begun;
    session.on("confirmed", () => (phone.state = "established"));
    session.on("ended", () => (phone.state = "ended"));
    session.on("failed", () => (phone.state = "ended"));
    session.on("newDTMF", ({ originator: from, dtmf }) => {
      if (from === "remote") phone.digits.push(dtmf.tone);
    });
    if (originator === "remote") phone.state = "ringing";
  });
  // Resolves to the status of the response.
  const sent = (send) =>
    new Promise((resolve, reject) => {
      const failed = ({ response, message, cause }) => {
        const final = response ?? message;
        if (final) resolve(final.status_code);
        else reject(new Error(cause));
      };
      const succeeded = ({ response }) => resolve(response.status_code);
      send({ eventHandlers: { succeeded, accepted: succeeded, failed } });
    });
  // It ends the call when it is refused.
  const reinvited = (send) =>
    new Promise((resolve, reject) => {
      if (!send(() => resolve(200))) reject(new Error("not now"));
    });

  return {
    start: () =>
      new Promise((resolve) => {
        agent.once("connected", () => resolve());
        agent.start();
      }),
    // It connects again by itself.
    connected: () => new Promise((resolve) => agent.once("connected", () => resolve())),
    stop: async () => agent.stop(),
    register: () =>
      new Promise((resolve, reject) => {
        agent.once("registered", ({ response }) => resolve(response.status_code));
        agent.once("registrationFailed", ({ cause }) => reject(new Error(cause)));
        agent.register();
      }),
    message: (to, text) => sent((handlers) => agent.sendMessage(to, text, handlers)),
    options: (to) => sent((handlers) => agent.sendOptions(to, "", handlers)),
    async call(to) {
      const mediaStream = await stream();
      return sent((handlers) => agent.call(to, { ...handlers, mediaStream, pcConfig }));
    },
    answer: async () => session.answer({ mediaStream: await stream(), pcConfig }),
    refuse: async (status_code) => session.terminate({ status_code }),
    hangUp: async () => session.terminate(),
    refer: (to) =>
      new Promise((resolve) => {
        const told = ({ status_line: line }) => phone.notified.push(line.status_code);
        const eventHandlers = {
          requestSucceeded: ({ response }) => resolve(response.status_code),
          requestFailed: ({ response }) => resolve(response.status_code),
          trying: told,
          progress: told,
          accepted: told,
          failed: told,
        };
        session.refer(to, { eventHandlers });
      }),
    hold: (way) => reinvited((done) => session.hold({ useUpdate: way === "update" }, done)),
    resume: (way) => reinvited((done) => session.unhold({ useUpdate: way === "update" }, done)),
    restart: () =>
      reinvited((done) => session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, done)),
    async press(digits, way) {
      session.sendDTMF(digits, { transportType: way === "rtp" ? "RFC2833" : "INFO", interToneGap: 100 });
    },
    peer: () => session?.connection,
  };
}
