// What a page says and hears: tones.
let context;

const audio = () => (context ??= new AudioContext());

// A stream with this tone, as a microphone would give it.
export function tone(frequency) {
  const oscillator = audio().createOscillator();
  oscillator.frequency.value = frequency;
  const output = audio().createMediaStreamDestination();
  oscillator.connect(output);
  oscillator.start();
  return output.stream;
}

// The microphone itself, and what it takes up as it is.
export function microphone() {
  const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  return navigator.mediaDevices.getUserMedia({ audio: plain });
}

const listening = new WeakMap(); // by the track that is heard

function analyser(peer) {
  const track = peer.getReceivers()[0]?.track;
  if (!track) return undefined;
  if (!listening.has(track)) {
    const stream = new MediaStream([track]);
    const element = new Audio(); // Chromium plays only what an element has
    element.srcObject = stream;
    element.muted = true;
    element.play();
    const node = audio().createAnalyser();
    node.fftSize = 4096;
    node.smoothingTimeConstant = 0;
    audio().createMediaStreamSource(stream).connect(node);
    listening.set(track, { node, element });
  }
  return listening.get(track).node;
}

// The loudest frequency of what comes, between two; 0 in silence.
export function loudest(peer, from, to) {
  const node = peer && analyser(peer);
  if (!node) return 0;
  const bins = new Float32Array(node.frequencyBinCount);
  node.getFloatFrequencyData(bins);
  const width = audio().sampleRate / node.fftSize;
  let found = Math.ceil(from / width);
  for (let bin = found; bin <= to / width; bin++) if (bins[bin] > bins[found]) found = bin;
  return bins[found] > -60 ? found * width : 0;
}
