// SIP.js
import * as SIP from "sip.js";

const { Established, Terminated, Initial, Establishing } = SIP.SessionState;

export function sipjs({ user, domain, server, password }, phone, stream) {
  const uri = (text) => SIP.UserAgent.makeURI(text);
  const status = (response) => response.message.statusCode;
  let session;

  function follow(begun) {
    session = begun;
    session.stateChange.addListener((state) => {
      if (state === Established) phone.state = "established";
      if (state === Terminated) phone.state = "ended";
    });
    session.delegate = {
      onInfo(info) {
        phone.digits.push(/Signal\s*=\s*(.)/i.exec(info.request.body)[1]);
        info.accept();
      },
    };
  }

  const agent = new SIP.UserAgent({
    uri: uri(`sip:${user}@${domain}`),
    transportOptions: { server },
    authorizationUsername: user,
    authorizationPassword: password,
    logBuiltinEnabled: false,
    sipExtension100rel: SIP.SIPExtension.Supported,
    sessionDescriptionHandlerFactory: SIP.Web.defaultSessionDescriptionHandlerFactory(stream),
    sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
    delegate: {
      onMessage(message) {
        phone.texts.push(message.request.body);
        message.accept();
      },
      onInvite(invitation) {
        follow(invitation);
        phone.state = "ringing";
      },
    },
  });
  const registerer = new SIP.Registerer(agent);
  // Resolves to the status of the final response to what is sent.
  const sent = (send) =>
    new Promise((resolve, reject) => {
      const told = (response) => resolve(status(response));
      send({ onAccept: told, onReject: told }).catch(reject);
    });

  function reinvite(options) {
    session.sessionDescriptionHandlerOptionsReInvite = options;
    return sent((requestDelegate) => session.invite({ requestDelegate }));
  }

  return {
    start: () => agent.start(),
    stop: () => agent.stop(),
    async connected() {
      if (agent.isConnected()) await new Promise((resolve) => (agent.delegate.onDisconnect = resolve));
      await agent.reconnect();
    },
    register: () => sent((requestDelegate) => registerer.register({ requestDelegate })),
    message: (to, text) =>
      sent((requestDelegate) => new SIP.Messager(agent, uri(to), text).message({ requestDelegate })),
    // OPTIONS has no class of its own: it is sent by the core.
    options: (to) =>
      sent(async (delegate) => {
        const core = agent.userAgentCore;
        const from = agent.configuration.uri;
        core.request(core.makeOutgoingRequestMessage("OPTIONS", uri(to), from, uri(to), {}), delegate);
      }),
    call(to) {
      follow(new SIP.Inviter(agent, uri(to), { earlyMedia: true }));
      return sent((requestDelegate) => session.invite({ requestDelegate }));
    },
    answer: () => session.accept(),
    refuse: (statusCode) => session.reject({ statusCode }),
    hangUp() {
      if (session.state === Initial || session.state === Establishing) return session.cancel();
      return session.bye();
    },
    // The statuses that NOTIFY tells go to phone.notified.
    refer: (to) =>
      sent((requestDelegate) => {
        const onNotify = (notification) => {
          phone.notified.push(Number(/^SIP\/2.0 (\d+)/.exec(notification.request.body)[1]));
          notification.accept();
        };
        return session.refer(uri(to), { requestDelegate, onNotify });
      }),
    hold: () => reinvite({ hold: true }),
    resume: () => reinvite({ hold: false }),
    restart: () => reinvite({ offerOptions: { iceRestart: true } }),
    async press(digits, way) {
      if (way === "rtp") {
        if (!session.sessionDescriptionHandler.sendDtmf(digits)) throw new Error("no DTMF");
        return;
      }
      for (const digit of digits) {
        const content = `Signal=${digit}\r\nDuration=100`;
        const body = { contentDisposition: "render", contentType: "application/dtmf-relay", content };
        await sent((requestDelegate) => session.info({ requestOptions: { body }, requestDelegate }));
      }
    },
    peer: () => session?.sessionDescriptionHandler?.peerConnection,
  };
}
