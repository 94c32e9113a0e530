// The reading order of an epoch, as the manual in the proto gives it.
import { blake2b } from "@noble/hashes/blake2.js";

const MASK = (1n << 64n) - 1n;

function uint64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

// Eight round keys of an epoch.
export function roundKeys(seed, epoch) {
  const personalization = new Uint8Array(16);
  personalization.set(new TextEncoder().encode("captcha.order"));
  const message = Uint8Array.from([...uint64(8), ...uint64(seed), ...uint64(8), ...uint64(epoch)]);
  const digest = blake2b(message, { dkLen: 64, personalization });
  const view = new DataView(digest.buffer, digest.byteOffset);
  return Array.from({ length: 8 }, (_, round) => view.getBigUint64(8 * round, true));
}

function mix(value) {
  value = ((value ^ (value >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK;
  value = ((value ^ (value >> 27n)) * 0x94d049bb133111ebn) & MASK;
  return value ^ (value >> 31n);
}

function ceilRoot(count) {
  let root = BigInt(Math.floor(Math.sqrt(Number(count))));
  while (root * root >= count) root -= 1n;
  while (root * root < count) root += 1n;
  return root;
}

// The function position -> index of one epoch over `count` samples.
export function epochOrder(count, seed, epoch, shuffle) {
  count = BigInt(count);
  if (!shuffle) return (position) => BigInt(position);
  const keys = roundKeys(seed, epoch);
  const a = ceilRoot(count);
  const b = (count + a - 1n) / a;
  return (position) => {
    let value = BigInt(position);
    do {
      let left = value / b;
      let right = value % b;
      keys.forEach((key, round) => {
        if (round % 2 === 0) left = (left + (mix(right ^ key) % a)) % a;
        else right = (right + (mix(left ^ key) % b)) % b;
      });
      value = left * b + right;
    } while (value >= count);
    return value;
  };
}

// Steps of an epoch, the same for every rank.
export function stepsOfEpoch(count, globalBatchSize, remainder) {
  const [samples, size] = [BigInt(count), BigInt(globalBatchSize)];
  return Number(remainder === "REMAINDER_PAD" ? (samples + size - 1n) / size : samples / size);
}

// The positions that `rank` reads at `step`.
export function positionsOf({ count, globalBatchSize, rank, ranks }, step) {
  const size = globalBatchSize / ranks;
  const first = step * globalBatchSize + rank * size;
  const positions = [];
  for (let position = first; position < Math.min(first + size, Number(count)); position += 1) positions.push(position);
  return positions;
}
