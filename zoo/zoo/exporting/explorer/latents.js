// Latents as torch draws them on the CPU: number i of a seed is that of `zoo sample --seed`.

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

async function drawLatent(seed, number, length, distribution) {
  const text = new TextEncoder().encode(`${seed}/sample/${number}`);
  const digest = new DataView(await crypto.subtle.digest("SHA-256", text));
  const random = new MersenneTwister((digest.getUint32(0, true) >>> 1) | (digest.getUint32(4, true) << 31));
  return distribution === "uniform"
    ? Float32Array.from({ length }, () => random.float() * 2 - 1)
    : normals(random, length);
}
