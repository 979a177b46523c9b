// One phone by two libraries, behind the same functions: register, message, options, received.
// The tests call them by name; all of them return promises of what JSON can hold.
import * as SIP from "sip.js";
import JsSIP from "jssip";

const received = [];

function sipjs({ user, domain, server, password }) {
  const agent = new SIP.UserAgent({
    uri: SIP.UserAgent.makeURI(`sip:${user}@${domain}`),
    transportOptions: { server },
    authorizationUsername: user,
    authorizationPassword: password,
    logBuiltinEnabled: false,
    delegate: {
      onMessage(message) {
        received.push(message.request.body);
        message.accept();
      },
    },
  });
  const registerer = new SIP.Registerer(agent);
  const uri = (text) => SIP.UserAgent.makeURI(text);
  // OPTIONS has no class of its own: it is sent by the core.
  const options = (to) =>
    new Promise((resolve) => {
      const request = agent.userAgentCore.makeOutgoingRequestMessage(
        "OPTIONS", uri(to), agent.configuration.uri, uri(to), {});
      const status = (response) => resolve(response.message.statusCode);
      agent.userAgentCore.request(request, { onAccept: status, onReject: status });
    });
  return {
    start: () => agent.start(),
    register: () =>
      new Promise((resolve, reject) => {
        const status = (response) => resolve(response.message.statusCode);
        registerer.register({ requestDelegate: { onAccept: status, onReject: status } }).catch(reject);
      }),
    message: (to, text) =>
      new Promise((resolve, reject) => {
        const status = (response) => resolve(response.message.statusCode);
        const requestOptions = { requestDelegate: { onAccept: status, onReject: status } };
        new SIP.Messager(agent, uri(to), text).message(requestOptions).catch(reject);
      }),
    options,
    stop: () => agent.stop(),
  };
}

function jssip({ user, domain, server, password }) {
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(server)],
    uri: `sip:${user}@${domain}`,
    password,
    register: false,
  });
  agent.on("newMessage", ({ originator, request }) => {
    if (originator === "remote") received.push(request.body);
  });
  // Resolves to the status of the response.
  const sent = (send) =>
    new Promise((resolve, reject) => {
      const failed = ({ response, cause }) => (response ? resolve(response.status_code) : reject(new Error(cause)));
      send({ eventHandlers: { succeeded: ({ response }) => resolve(response.status_code), failed } });
    });
  return {
    start: () =>
      new Promise((resolve) => {
        agent.once("connected", () => resolve());
        agent.start();
      }),
    register: () =>
      new Promise((resolve, reject) => {
        agent.once("registered", ({ response }) => resolve(response.status_code));
        agent.once("registrationFailed", ({ cause }) => reject(new Error(cause)));
        agent.register();
      }),
    message: (to, text) => sent((handlers) => agent.sendMessage(to, text, handlers)),
    options: (to) => sent((handlers) => agent.sendOptions(to, "", handlers)),
    stop: async () => agent.stop(),
  };
}

const libraries = { sipjs, jssip };

window.phone = {
  async start(library, settings) {
    this.of = libraries[library](settings);
    await this.of.start();
    return true;
  },
  register() { return this.of.register(); },
  message(to, text) { return this.of.message(to, text); },
  options(to) { return this.of.options(to); },
  async stop() { await this.of.stop(); return true; },
  received: () => received,
};
