// The page of `zoo export --to html`: draws in the browser what the generator of this page draws.
// All texts of the model come in as text and go out as text (textContent); nothing is fetched.

const ort = globalThis.ort;
const facts = JSON.parse(byId("facts").textContent);
const { size, channels, latentDim, distribution, classes, numClasses, directions, proof } = facts;
const BATCH = Math.max(1, Math.min(8, Math.floor(8 * (64 / size) ** 2)));  // pictures between two looks at the person
const kept = [];  // pictures: {latent: Float32Array, label, name, pixels}
const terms = { A: new Set(), B: new Set(), C: new Set() };
let session, samples = [], film = [], timer = 0, last = Promise.resolve();

function byId(id) { return document.getElementById(id); }

function say(text, bad = false) {
  byId("state").textContent = text;
  byId("state").classList.toggle("bad", bad);
}

// 1. What is in the page: base64 of gzip.
async function unpack(id) {
  const text = byId(id).textContent;
  const packed = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : decode(text);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function decode(text) {
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

// A module of one function, which spreads a number over a vector.
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

function missing() {
  if (typeof WebAssembly !== "object" || !WebAssembly.validate(new Uint8Array(SIMD))) return "WebAssembly with SIMD";
  if (typeof DecompressionStream !== "function") return "DecompressionStream";
  if (!globalThis.crypto?.subtle) return "crypto.subtle";
  return "";
}

// 2. Latents as torch draws them on the CPU: number i of a seed is that of `zoo sample --seed`.
class MersenneTwister {
  constructor(seed) {
    const state = this.state = new Uint32Array(624);
    state[0] = seed;
    for (let i = 1; i < 624; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
    this.at = 624;
  }

  next() {
    const s = this.state;
    if (this.at === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (s[i] & 0x80000000) | (s[(i + 1) % 624] & 0x7fffffff);
        s[i] = s[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      this.at = 0;
    }
    let y = s[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  float() { return (this.next() & 0xffffff) / 2 ** 24; }

  double() {
    const high = this.next() & 0x1fffff, low = this.next();
    return (high * 2 ** 32 + low) / 2 ** 53;
  }
}

function normals(random, count) {
  const found = new Float32Array(count);
  if (count < 16) {  // pairs of doubles
    for (let i = 0; i < count; i += 2) {
      const angle = 2 * Math.PI * random.double(), radius = Math.sqrt(-2 * Math.log1p(-random.double()));
      found[i] = radius * Math.cos(angle);
      if (i + 1 < count) found[i + 1] = radius * Math.sin(angle);
    }
    return found;
  }
  const pairs = start => {  // eight by eight
    for (let i = start; i < start + 8; i++) {
      const radius = Math.sqrt(-2 * Math.log(1 - found[i])), angle = 2 * Math.PI * found[i + 8];
      found[i] = radius * Math.cos(angle);
      found[i + 8] = radius * Math.sin(angle);
    }
  };
  for (let i = 0; i < count; i++) found[i] = random.float();
  for (let i = 0; i < count - 15; i += 16) pairs(i);
  if (count % 16) {
    for (let i = count - 16; i < count; i++) found[i] = random.float();
    pairs(count - 16);
  }
  return found;
}

async function latentFor(seed, number) {
  const text = new TextEncoder().encode(`${seed}/sample/${number}`);
  const digest = new DataView(await crypto.subtle.digest("SHA-256", text));
  const random = new MersenneTwister((digest.getUint32(0, true) >>> 1) | (digest.getUint32(4, true) << 31));
  return distribution === "uniform"
    ? Float32Array.from({ length: latentDim }, () => random.float() * 2 - 1)
    : normals(random, latentDim);
}

const labelFor = (number, chosen) => (chosen === "" ? number % Math.max(1, numClasses) : Number(chosen));

// 3. Pictures: latents and labels in, RGBA out; one batch at a time, and nothing twice at once.
async function draw(items, seen = () => true) {
  for (let start = 0; start < items.length; start += BATCH) {
    const part = items.slice(start, start + BATCH);
    last = last.catch(() => {}).then(() => run(part));
    const images = await last;
    part.forEach((item, i) => { item.pixels = images[i]; });
    if (!seen(part, start)) return false;
    await new Promise(resolve => setTimeout(resolve));
  }
  return true;
}

async function run(items) {
  const feeds = { latents: new ort.Tensor("float32", items.flatMap(item => [...item.latent]), [items.length, latentDim]) };
  if (numClasses) {
    feeds.labels = new ort.Tensor("int64", BigInt64Array.from(items, item => BigInt(item.label)), [items.length]);
  }
  const { images } = await session.run(feeds);
  const values = await images.getData(), plane = size * size;
  images.dispose();
  return items.map((_, n) => {
    const pixels = new Uint8ClampedArray(4 * plane).fill(255);
    for (let c = 0; c < 3; c++) {
      const from = (n * channels + Math.min(c, channels - 1)) * plane;
      for (let i = 0; i < plane; i++) pixels[4 * i + c] = (values[from + i] + 1) * 127.5;  // rounds and clips
    }
    return pixels;
  });
}

// 4. What the person sees.
function paint(canvas, pixels) {
  canvas.width = canvas.height = size;
  canvas.classList.toggle("coarse", size <= 48);
  canvas.getContext("2d").putImageData(new ImageData(pixels, size, size), 0, 0);
  return canvas;
}

function tile(item, words, pressed, press) {
  const place = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", words);
  button.title = item.name;
  if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
  button.append(paint(document.createElement("canvas"), item.pixels));
  button.addEventListener("click", press);
  place.append(button);
  return place;
}

function still(item, words) {
  const place = document.createElement("li"), canvas = paint(document.createElement("canvas"), item.pixels);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", words);
  place.append(canvas);
  return place;
}

function refill(list, tiles) {  // keeps the focus at its place in the list
  const at = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(...tiles);
  if (at >= 0) [...list.querySelectorAll("button")].at(Math.min(at, tiles.length - 1))?.focus();
}

function keep(item) {
  const at = kept.indexOf(item);
  if (at < 0) kept.push(item);
  else {
    kept.splice(at, 1);
    for (const term of Object.values(terms)) term.delete(item);
  }
  showSamples();
  showKept();
}

const showSamples = () => refill(byId("samples"), samples.filter(item => item.pixels).map(item =>
  tile(item, `Keep ${item.name}`, kept.includes(item), () => keep(item))));

function showKept() {
  refill(byId("kept"), kept.map(item => tile(item, `Let ${item.name} go`, null, () => keep(item))));
  for (const [name, term] of Object.entries(terms)) {
    refill(byId(`term-${name}`), kept.map(item => tile(item, `${item.name} in ${name}`, term.has(item), () => {
      if (!term.delete(item)) term.add(item);
      showKept();
    })));
  }
  byId("walk").disabled = kept.length < 2;
  const base = byId("base");
  if (base) {
    const chosen = base.selectedIndex;
    base.replaceChildren(...kept.map(item => new Option(item.name)));
    base.selectedIndex = Math.min(Math.max(chosen, 0), kept.length - 1);
    turn();
  }
  add();
}

function label(item) { return numClasses ? ` (${classes[item.label] ?? item.label})` : ""; }

async function sample() {
  const count = Math.max(1, Math.min(256, Math.round(Number(byId("count").value)) || 1));
  const seed = Math.max(0, Math.round(Number(byId("seed").value)) || 0), chosen = byId("class")?.value ?? "", began = performance.now();
  const mine = samples = [];
  for (let number = 0; number < count; number++) {
    const item = { latent: await latentFor(seed, number), label: labelFor(number, chosen) };
    item.name = `number ${number} of seed ${seed}${label(item)}`;
    mine.push(item);
  }
  if (samples !== mine) return;
  byId("samples").replaceChildren();
  const done = await draw(mine, (part, start) => {
    if (samples !== mine) return false;  // another seed was asked for
    byId("samples").append(...part.map(item => tile(item, `Keep ${item.name}`, kept.includes(item), () => keep(item))));
    say(`${start + part.length} of ${count} pictures …`);
    return true;
  });
  const rate = count / (performance.now() - began) * 1000;
  const doubt = backend.same ? "" : " They differ from those that torch draws.";
  if (done) say(`${count} pictures of seed ${seed}, ${rate.toPrecision(2)} a second, by ${backend.name}.${doubt}`, !backend.same);
}

function mix(items, weights) {
  const latent = new Float32Array(latentDim);
  items.forEach((item, k) => { for (let i = 0; i < latentDim; i++) latent[i] += weights[k] * item.latent[i]; });
  return latent;
}

const mean = term => ({ latent: mix([...term], Array(term.size).fill(1 / term.size)), label: [...term][0].label });

async function walk() {
  const steps = Math.max(2, Math.min(64, Math.round(Number(byId("steps").value)) || 8)), path = [];
  kept.slice(1).forEach((to, k) => {
    for (let i = k ? 1 : 0; i <= steps; i++) {
      const part = i / steps, nearest = part < 0.5 ? kept[k] : to;
      path.push({ latent: mix([kept[k], to], [1 - part, part]), label: nearest.label });
    }
  });
  film = path;
  byId("strip").replaceChildren();
  const done = await draw(path, (part, start) => {
    if (film !== path) return false;
    byId("strip").append(...part.map((item, i) => still(item, `Picture ${start + i + 1} of ${path.length}`)));
    return true;
  });
  if (!done) return;
  Object.assign(byId("place"), { max: path.length - 1, value: 0, disabled: false });
  byId("play").disabled = false;
  showPlace();
}

const showPlace = () => paint(byId("film"), film[Number(byId("place").value)].pixels);

function play() {
  clearInterval(timer);
  const playing = byId("play").getAttribute("aria-pressed") !== "true";
  byId("play").setAttribute("aria-pressed", String(playing));
  byId("play").textContent = playing ? "Pause" : "Play";
  let step = 1;
  if (playing) {
    timer = setInterval(() => {
      const place = byId("place"), at = Number(place.value);
      if (at + step > Number(place.max) || at + step < 0) step = -step;
      place.value = at + step;
      showPlace();
    }, 80);
  }
}

// Only the newest of what is asked for is drawn: a slider asks more often than anything can answer.
function newest(make, list, words) {
  let busy = false, again = false;
  return async () => {
    if (busy) { again = true; return; }
    busy = true;
    do {
      again = false;
      const item = make();
      if (item) await draw([item]);
      refill(byId(list), item ? [tile(item, `Keep ${words}`, null, () => keep({ ...item, name: `${words} ${kept.length + 1}` }))] : []);
    } while (again);
    busy = false;
  };
}

const add = newest(() => {
  const { A, B, C } = terms;
  if (!A.size || !B.size || !C.size) return null;
  const items = [mean(A), mean(B), mean(C)];
  return { latent: mix(items, [1, -1, 1]), label: items[0].label, name: "A − B + C" };
}, "result", "the sum");

const sliders = [...document.querySelectorAll("#sliders input")];
const turn = newest(() => {
  const base = kept[byId("base").selectedIndex];
  if (!base) return null;
  const vectors = directions.map(vector => ({ latent: vector }));
  return { latent: mix([base, ...vectors], [1, ...sliders.map(s => Number(s.value))]), label: base.label, name: "turned" };
}, "turned", "the turned picture");

function save() {
  const shown = samples.filter(item => item.pixels), columns = Math.ceil(Math.sqrt(shown.length));
  const sheet = document.createElement("canvas");
  sheet.width = columns * size;
  sheet.height = Math.ceil(shown.length / columns) * size;
  shown.forEach((item, i) => sheet.getContext("2d").putImageData(
    new ImageData(item.pixels, size, size), (i % columns) * size, Math.floor(i / columns) * size));
  sheet.toBlob(blob => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `samples-seed-${byId("seed").value}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

function listen() {
  byId("sample").addEventListener("submit", event => { event.preventDefault(); sample().catch(fail); });
  byId("another").addEventListener("click", () => {
    byId("seed").value = Number(byId("seed").value) + 1;
    sample().catch(fail);
  });
  byId("save").addEventListener("click", save);
  byId("walk").addEventListener("click", () => walk().catch(fail));
  byId("play").addEventListener("click", play);
  byId("place").addEventListener("input", showPlace);
  byId("base")?.addEventListener("change", () => turn().catch(fail));
  byId("reset")?.addEventListener("click", () => {
    for (const slider of sliders) { slider.value = 0; slider.nextElementSibling.value = "0"; }
    turn().catch(fail);
  });
  for (const slider of sliders) {
    slider.addEventListener("input", () => {
      slider.nextElementSibling.value = Number(slider.value).toFixed(1);
      turn().catch(fail);
    });
  }
  byId("notices")?.addEventListener("click", async () => {
    byId("notices-text").textContent = new TextDecoder().decode(await unpack("notices-packed"));
    byId("notices-text").hidden = false;
    byId("notices").hidden = true;
  });
}

// 5. The session: WebGPU where the machine has one that draws the same, else WebAssembly. FILE.html#webgpu and FILE.html#wasm
// ask for one of them.
const asked = location.hash.slice(1);
let backend = { name: "", same: true };

async function findAdapter() {
  const adapter = asked === "wasm" ? null : await navigator.gpu?.requestAdapter().catch(() => null);
  const software = adapter?.info?.isFallbackAdapter ?? adapter?.isFallbackAdapter ?? false;  // slower than WebAssembly is
  return adapter && (asked === "webgpu" || !software);
}

async function open(graph, provider) {
  const options = { executionProviders: [provider], extra: { session: { disable_quant_qdq: "1" } } };
  session = await ort.InferenceSession.create(graph, options);
  const item = { latent: await latentFor(0, 0), label: 0 };
  await draw([item]);
  const wanted = decode(proof.pixels);
  let worst = 0;
  for (let i = 0; i < wanted.length; i++) {
    const at = Math.floor(i / channels) * 4 + (i % channels);
    worst = Math.max(worst, Math.abs(item.pixels[at] - wanted[i]));
  }
  return worst <= proof.most;
}

async function start() {
  const lack = missing();
  if (lack) throw new Error(`This browser has no ${lack}; a browser of 2023 or later has.`);
  const wasm = ort.env.wasm;
  Object.assign(wasm, { wasmBinary: (await unpack("program")).buffer, numThreads: 1, proxy: false });
  ort.env.logLevel = "error";
  const graph = await unpack("generator");
  say("Starting …");
  if (await findAdapter()) {
    try {
      if (await open(graph, "webgpu")) backend.name = "WebGPU";
      else await session.release();
    } catch (error) { console.info(`WebGPU does not draw it: ${error.message}`); }
  }
  if (!backend.name) backend = { same: await open(graph, "wasm"), name: "WebAssembly" };
  listen();
  await sample();
  samples.slice(0, 3).forEach((item, i) => { kept.push(item); terms["ABC"[i]].add(item); });
  showSamples();
  showKept();
  if (kept.length > 1) await walk();
}

function fail(error) { say(error.message || String(error), true); }

// For the console, and for tests: explorer.draw(0, 4) gives the pixels of four pictures of seed 0.
globalThis.explorer = {
  async draw(seed, count, chosen = "") {
    const items = [];
    for (let i = 0; i < count; i++) items.push({ latent: await latentFor(seed, i), label: labelFor(i, chosen) });
    await draw(items);
    return items;
  },
  get backend() { return backend.name; },
  ready: start(),
};
globalThis.explorer.ready.catch(fail);
