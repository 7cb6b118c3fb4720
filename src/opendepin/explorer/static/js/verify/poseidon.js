// Poseidon over the BN254 scalar field with circomlib's parameters; the constants are made by the paper's Grain LFSR.

export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
const FULL = 8;
const PARTIAL = { 3: 57, 5: 60 };
const made = new Map();

function* grain(width) {
  const bits = [];
  const fields = [[1, 2], [0, 4], [254, 12], [width, 12], [FULL, 10], [PARTIAL[width], 10], [2 ** 30 - 1, 30]];
  for (const [value, size] of fields) for (let i = size - 1; i >= 0; i--) bits.push(Math.floor(value / 2 ** i) & 1);
  const step = () => {
    const bit = bits[62] ^ bits[51] ^ bits[38] ^ bits[23] ^ bits[13] ^ bits[0];
    bits.shift();
    bits.push(bit);
    return bit;
  };
  for (let i = 0; i < 160; i++) step();
  for (;;) {
    const keep = step();
    const bit = step();
    if (keep) yield bit;
  }
}

function draw(stream) {
  let value = 0n;
  for (let i = 0; i < 254; i++) value = (value << 1n) | BigInt(stream.next().value);
  return value;
}

export function power(base, exponent, modulus) {
  let [found, square, rest] = [1n, ((base % modulus) + modulus) % modulus, exponent];
  while (rest) {
    if (rest & 1n) found = (found * square) % modulus;
    square = (square * square) % modulus;
    rest >>= 1n;
  }
  return found;
}

function parameters(width) {
  if (!made.has(width)) {
    const stream = grain(width);
    const below = () => {
      for (;;) {
        const value = draw(stream);
        if (value < R) return value;
      }
    };
    const constants = Array.from({ length: FULL + PARTIAL[width] }, () => Array.from({ length: width }, below));
    const points = Array.from({ length: 2 * width }, () => draw(stream) % R);
    const matrix = Array.from({ length: width }, (_, row) =>
      Array.from({ length: width }, (_, column) => power(points[row] + points[width + column], R - 2n, R)),
    );
    made.set(width, { constants, matrix });
  }
  return made.get(width);
}

const fifth = (lane) => {
  const square = (lane * lane) % R;
  return (((square * square) % R) * lane) % R;
};

export function poseidon(...inputs) {
  const width = inputs.length + 1;
  const { constants, matrix } = parameters(width);
  let state = [0n, ...inputs.map(BigInt)];
  constants.forEach((row, round) => {
    state = state.map((lane, i) => (lane + row[i]) % R);
    const partial = round >= FULL / 2 && round < FULL / 2 + PARTIAL[width];
    state = partial ? [fifth(state[0]), ...state.slice(1)] : state.map(fifth);
    state = matrix.map((factors) => factors.reduce((sum, factor, i) => sum + factor * state[i], 0n) % R);
  });
  return state[0];
}

// The root of the 4-ary tree over the readings' words, and the readings' number: what a proof is about.
export function fieldRoot(readings, capacity) {
  let level = readings.flat();
  let empty = 0n;
  for (let size = 1; size < capacity * readings[0].length; size *= 4) {
    while (level.length % 4) level.push(empty);
    const next = [];
    for (let i = 0; i < level.length; i += 4) next.push(poseidon(...level.slice(i, i + 4)));
    level = next;
    empty = poseidon(empty, empty, empty, empty);
  }
  return poseidon(level[0], readings.length);
}
