// What the page holds, and pictures from it. All texts of the model come in as text and go out as text; nothing is fetched.

const ort = globalThis.ort;
const facts = JSON.parse(byId("facts").textContent);
const { size, channels, latentDim, distribution, classes, numClasses, directions, proof } = facts;
const BATCH = Math.max(1, Math.min(8, Math.floor(8 * (64 / size) ** 2)));  // pictures between two looks at the person
let session, last = Promise.resolve();

function byId(id) { return document.getElementById(id); }

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

// 2. Pictures: latents and labels in, RGBA out; one batch at a time, and nothing twice at once.
const latentFor = (seed, number) => drawLatent(seed, number, latentDim, distribution);
const labelFor = (number, chosen) => (chosen === "" ? number % Math.max(1, numClasses) : Number(chosen));

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

// 3. The session: WebGPU where the machine has one that draws the same, else WebAssembly. FILE.html#webgpu and FILE.html#wasm
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

async function startSession() {
  const lack = missing();
  if (lack) throw new Error(`This browser has no ${lack}; a browser of 2023 or later has.`);
  Object.assign(ort.env.wasm, { wasmBinary: (await unpack("program")).buffer, numThreads: 1, proxy: false });
  ort.env.logLevel = "error";
  const graph = await unpack("generator");
  if (await findAdapter()) {
    try {
      if (await open(graph, "webgpu")) backend.name = "WebGPU";
      else await session.release();
    } catch (error) { console.info(`WebGPU does not draw it: ${error.message}`); }
  }
  if (!backend.name) backend = { same: await open(graph, "wasm"), name: "WebAssembly" };
}
