// `node main.js COMMAND JSON`: what the tests ask of this client. Prints one JSON object a line.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeImage } from "./batch.js";
import { epochOrder, roundKeys } from "./order.js";
import { PROTO, Reader } from "./reader.js";
import { malformed, outcome, unusual } from "./refusals.js";
import { explain } from "./status.js";

const ADDRESS = { split: "train", orderSeed: 5, shuffle: true, epoch: 3, globalBatchSize: 64, remainder: "REMAINDER_DROP" };
const tell = (facts) => console.log(JSON.stringify(facts));

async function readRank(reader, address, wait, events) {
  const got = [];
  for await (const batch of reader.batches(address, (event) => events.push(event))) {
    got.push({ indices: batch.indices, labels: batch.labels, images: reader.decode(batch) });
    if (wait) {
      tell({ step: Number(batch.step) });
      await sleep(wait);
    }
  }
  return got;
}

// Reads an epoch as `ranks` ranks; tells a digest of all samples in the order of their positions.
async function epoch({ target, security, ranks = 1, waitMs = 0, ...fields }) {
  const reader = new Reader(target, security);
  const { fingerprint, codecs } = await reader.describe();
  const events = [];
  const all = Array.from({ length: ranks }, (_, rank) => ({ ...ADDRESS, ...fields, rank, ranks }));
  const slices = await Promise.all(all.map((address) => readRank(reader, address, waitMs, events)));
  const [pixels, labels, indices] = [createHash("sha256"), createHash("sha256"), []];
  for (let step = 0; step < slices[0].length; step += 1) {
    for (const slice of slices) {
      indices.push(...slice[step].indices.map(Number));
      labels.update(slice[step].labels);
      for (const image of slice[step].images) pixels.update(image);
    }
  }
  reader.close();
  const digests = { pixels: pixels.digest("hex"), labels: labels.digest("hex") };
  tell({ done: true, fingerprint, codecs, steps: slices.map((slice) => slice.length), indices, ...digests, events });
}

// Every vector of the manual, recomputed.
function vectors() {
  const text = readFileSync(PROTO, "utf8");
  const found = [...text.matchAll(/count=(\d+) seed=(\d+) epoch=(\d+): positions ([\d, ]+) -> ([\d, ]+)/g)];
  const wrong = found.filter(([, count, seed, number, positions, indices]) => {
    const order = epochOrder(count, seed, number, true);
    return positions.split(", ").map((position) => order(position)).join() !== indices.trim().replaceAll(", ", ",");
  });
  const [keys] = text.matchAll(/round keys of seed=(\d+) epoch=(\d+):([0-9a-f \n/]+)/g);
  const computed = roundKeys(keys[1], keys[2]).map((key) => key.toString(16).padStart(16, "0"));
  tell({ vectors: found.length, wrong: wrong.map(([line]) => line), keys: keys[3].match(/[0-9a-f]{16}/g).join() === computed.join() });
}

async function refusals({ target, maxBatch }) {
  const reader = new Reader(target);
  const { fingerprint } = await reader.describe();
  const cases = malformed({ fingerprint, maxBatch });
  const wrong = [];
  for (const [method, bytes, code, field] of cases) {
    const found = await outcome(reader, method, bytes);
    const name = field?.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    if (found.code !== code || found.field !== name) wrong.push({ method, bytes: bytes.toString("hex", 0, 60), code, name, found });
  }
  const odd = [];
  for (const [method, bytes] of unusual()) odd.push((await outcome(reader, method, bytes)).code);
  const gzip = reader.metadata();
  gzip.set("grpc-internal-encoding-request", "gzip");
  const zipped = (await outcome(reader, "GetDataset", Buffer.alloc(0), { metadata: gzip })).code;
  const huge = reader.metadata();
  huge.set("x-huge", "x".repeat(40_000));
  const metadata = await outcome(reader, "GetDataset", Buffer.alloc(0), { metadata: huge });
  reader.close();
  tell({ refused: cases.length - wrong.length, wrong, unusual: odd, zipped, metadata });
}

// How one GetDataset ends with these credentials.
async function describe({ target, security, header }) {
  const reader = new Reader(target, security);
  const metadata = reader.metadata();
  if (header !== undefined) metadata.set("authorization", header);
  const found = await outcome(reader, "GetDataset", Buffer.alloc(0), { metadata });
  reader.close();
  tell(found);
}

async function samples({ target, codec, indices }) {
  const reader = new Reader(target);
  await reader.describe();
  try {
    const answer = await reader.unary("GetSamples", { split: "train", indices, codec });
    const pixels = createHash("sha256");
    for (const sample of answer.samples) pixels.update(decodeImage(sample.image, codec));
    const told = answer.samples.map(({ index, text }) => ({ index: Number(index), text }));
    tell({ code: "OK", fingerprint: answer.fingerprint, samples: told, pixels: pixels.digest("hex") });
  } catch (error) {
    tell(explain(error));
  }
  reader.close();
}

const COMMANDS = { epoch, vectors, refusals, describe, samples };
await COMMANDS[process.argv[2]](JSON.parse(process.argv[3] ?? "{}"));
