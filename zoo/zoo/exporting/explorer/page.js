// What the person sees of the page of `zoo export --to html`, and does with it.

const kept = [];  // pictures: {latent: Float32Array, label, name, pixels}
const terms = { A: new Set(), B: new Set(), C: new Set() };
let samples = [], film = [], timer = 0;

function say(text, bad = false) {
  byId("state").textContent = text;
  byId("state").classList.toggle("bad", bad);
}

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
    turn().catch(fail);
  }
  add().catch(fail);
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

function showPlace() {
  const item = film[Number(byId("place").value)];
  if (item?.pixels) paint(byId("film"), item.pixels);  // another walk may be on its way
}

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
    try {
      do {
        again = false;
        const item = make(), keepIt = () => keep({ ...item, name: `${words} ${kept.length + 1}` });
        if (item) await draw([item]);
        refill(byId(list), item ? [tile(item, `Keep ${words}`, null, keepIt)] : []);
      } while (again);
    } finally { busy = false; }
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

async function start() {
  await startSession();
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
