// Malformed requests, and the code and field that the manual promises for each.
import { gzipSync } from "node:zlib";
import { Service } from "./reader.js";
import { explain } from "./status.js";

const BASE = { split: "train", globalBatchSize: 64, ranks: 1, numSteps: 1, shuffle: true };
const HUGE = "18446744073709551615";
const { StreamBatches, GetSamples } = Service.service;

function varint(value) {
  const bytes = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
}

// The request with one more number field, which may be negative or unknown: the last one counts.
const withNumber = (bytes, field, value) => Buffer.concat([bytes, varint(field << 3), varint(value)]);
const stream = (fields) => StreamBatches.requestSerialize({ ...BASE, ...fields });
const samples = (fields) => GetSamples.requestSerialize({ split: "train", indices: [0], ...fields });

function* streamCases({ fingerprint, maxBatch }) {
  const wrong = {
    "INVALID_ARGUMENT fingerprint": ["f", "F".repeat(64), "g".repeat(64), "f".repeat(63), "f".repeat(65), "f".repeat(9999)],
    "FAILED_PRECONDITION fingerprint": ["0".repeat(64), fingerprint.slice(1) + fingerprint[0]],
    "NOT_FOUND split": ["", "dev", "Train", "train ", "../train", "träin", "x".repeat(50_000), "a\nb", "train\0"],
    "FAILED_PRECONDITION splitCount": [1, 999, 1001, 2 ** 40, HUGE],
    "INVALID_ARGUMENT epoch": ["4294967296", "9223372036854775808", HUGE],
    "INVALID_ARGUMENT firstStep": [16, 1000, HUGE],
    "INVALID_ARGUMENT numSteps": [16, 1000, HUGE],
    "INVALID_ARGUMENT globalBatchSize": [0, 1001, 65537, 4294967295],
    "INVALID_ARGUMENT ranks": [0, 65537, 4294967295],
    "INVALID_ARGUMENT rank": [1, 2, 65536, 4294967295],
    "INVALID_ARGUMENT codec": [4, 99, 2147483647],
    "INVALID_ARGUMENT remainder": [3, 99, 2147483647],
  };
  for (const [promised, values] of Object.entries(wrong)) {
    const [code, field] = promised.split(" ");
    for (const value of values) yield ["StreamBatches", stream({ [field]: value }), code, field];
  }
  yield ["StreamBatches", stream({ ranks: 3 }), "INVALID_ARGUMENT", "globalBatchSize"];
  for (const size of [1, 63, 65, 127]) yield ["StreamBatches", stream({ ranks: 64, globalBatchSize: size }), "INVALID_ARGUMENT", "globalBatchSize"];
  yield ["StreamBatches", stream({ ranks: 8, rank: 8 }), "INVALID_ARGUMENT", "rank"];
  yield ["StreamBatches", stream({ split: "large", globalBatchSize: maxBatch + 1 }), "INVALID_ARGUMENT", "globalBatchSize"];
  yield ["StreamBatches", stream({ firstStep: 15, numSteps: 1 }), "INVALID_ARGUMENT", "numSteps"];
  const numbers = { epoch: 6, firstStep: 7, numSteps: 8, globalBatchSize: 9, rank: 10, ranks: 11, codec: 12, remainder: 13 };
  for (const [field, number] of Object.entries(numbers)) {
    for (const value of [-1, -(2 ** 31)]) {
      if (field === "globalBatchSize" && value !== -1) continue; // 2^31 is over the bound as well.
      yield ["StreamBatches", withNumber(stream({}), number, value), "INVALID_ARGUMENT", field];
    }
  }
}

function* sampleCases() {
  for (const indices of [[], Array(257).fill(0), [1000], [0, HUGE], Array.from({ length: 20_000 }, (_, i) => i)]) {
    yield ["GetSamples", samples({ indices }), "INVALID_ARGUMENT", "indices"];
  }
  for (const split of ["", "dev", "x".repeat(1000)]) yield ["GetSamples", samples({ split }), "NOT_FOUND", "split"];
  for (const codec of [4, -1, 99]) yield ["GetSamples", withNumber(samples({}), 3, codec), "INVALID_ARGUMENT", "codec"];
}

function* garbageCases() {
  const garbage = [[0xff], [0x0a, 0x7f], [0x0a, 0x02, 0xff, 0xfe], [0x07, 1, 2, 3], [0x08], [0x4c], gzipSync(Buffer.alloc(99))];
  for (const method of ["StreamBatches", "GetSamples", "GetDataset"]) {
    for (const bytes of garbage) {
      const isUnknownField = method === "GetDataset" && bytes[0] === 0x0a && bytes.length === 4;
      if (!isUnknownField) yield [method, Buffer.from(bytes), "INVALID_ARGUMENT", "request"];
    }
    const tooLong = Buffer.concat([varint((99 << 3) | 2), varint(70_000), Buffer.alloc(70_000)]);
    yield [method, tooLong, "INVALID_ARGUMENT", "request"];
    yield [method, Buffer.alloc(2 << 20), "RESOURCE_EXHAUSTED", undefined];
  }
}

// Well-formed, if unusual: unknown fields, and a request just below 64 KiB.
export function* unusual() {
  yield ["StreamBatches", withNumber(stream({}), 999, 7)];
  yield ["GetSamples", withNumber(samples({}), 999, 7)];
  yield ["GetDataset", withNumber(Buffer.alloc(0), 999, 7)];
  for (const [method, bytes] of [["GetDataset", Buffer.alloc(0)], ["StreamBatches", stream({})]]) {
    const room = (64 << 10) - bytes.length - 5;
    yield [method, Buffer.concat([bytes, varint((99 << 3) | 2), varint(room), Buffer.alloc(room)])];
  }
}

export function malformed(facts) {
  return [...streamCases(facts), ...sampleCases(), ...garbageCases()];
}

// How a call with these bytes ends: {code: "OK"} or what `explain` says.
export function outcome(reader, method, bytes, { metadata = reader.metadata(), options = {} } = {}) {
  const [path, same] = [Service.service[method].path, (value) => value];
  const limits = { deadline: Date.now() + 20_000, ...options };
  return new Promise((resolve) => {
    const end = (error) => resolve(error ? explain(error) : { code: "OK" });
    if (method !== "StreamBatches") {
      reader.client.makeUnaryRequest(path, same, same, bytes, metadata, limits, end);
      return;
    }
    const call = reader.client.makeServerStreamRequest(path, same, same, bytes, metadata, limits);
    call.on("data", () => {}).on("error", end).on("end", () => end());
  });
}
