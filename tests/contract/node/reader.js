// A reader as the manual describes it: verify, resume at the next step, retry what may be retried.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { checksum, decodeImages } from "./batch.js";
import { epochOrder, positionsOf, stepsOfEpoch } from "./order.js";
import { explain } from "./status.js";

const HERE = dirname(fileURLToPath(import.meta.url));
export const PROTO = join(HERE, "../../../proto/captcha/v1/dataset.proto");
const LOADED = protoLoader.loadSync(PROTO, { longs: String, enums: String, defaults: true, arrays: true });
export const Service = grpc.loadPackageDefinition(LOADED).captcha.v1.DatasetService;

const OPTIONS = {
  "grpc.max_receive_message_length": 96 << 20,
  "grpc.keepalive_time_ms": 5000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.enable_http_proxy": 0,
};
const STALLED_MS = 12_000;
const LONGEST_PAUSE_MS = 2000;
const GIVE_UP_MS = 60_000;

function credentialsOf({ ca, cert, key }) {
  if (!ca) return grpc.credentials.createInsecure();
  return grpc.credentials.createSsl(readFileSync(ca), key && readFileSync(key), cert && readFileSync(cert));
}

export class Reader {
  constructor(target, security = {}) {
    this.client = new Service(target, credentialsOf(security), OPTIONS);
    this.token = security.token;
  }

  metadata(requestId) {
    const metadata = new grpc.Metadata();
    if (this.token) metadata.set("authorization", `Bearer ${this.token}`);
    if (requestId) metadata.set("x-request-id", requestId);
    return metadata;
  }

  unary(method, request) {
    const deadline = Date.now() + STALLED_MS;
    return new Promise((resolve, reject) => {
      const done = (error, answer) => (error ? reject(error) : resolve(answer));
      this.client[method](request, this.metadata(), { deadline }, done);
    });
  }

  async describe() {
    this.dataset = await this.unary("GetDataset", {});
    return this.dataset;
  }

  // The batches of one rank, each verified, over as many calls as it takes.
  async *batches(address, told = () => {}) {
    const count = this.dataset.splits.find((split) => split.name === address.split).count;
    const order = epochOrder(count, address.orderSeed, address.epoch, address.shuffle);
    const stop = stepsOfEpoch(count, address.globalBatchSize, address.remainder);
    let [step, pauseMs, failingSince] = [address.firstStep ?? 0, 100, 0];
    while (step < stop) {
      const request = { ...address, fingerprint: this.dataset.fingerprint, splitCount: count, firstStep: step };
      try {
        for await (const batch of this.messages({ ...request, numSteps: Math.min(64, stop - step) })) {
          this.verify(batch, positionsOf({ ...address, count }, step).map(order), step, address);
          [step, pauseMs, failingSince] = [step + 1, 100, 0];
          yield batch;
        }
      } catch (error) {
        failingSince ||= Date.now();
        const problem = explain(error);
        told({ step, ...problem });
        if (!problem.retry || Date.now() - failingSince > GIVE_UP_MS) throw error;
        await sleep(Math.random() * pauseMs);
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      }
    }
  }

  async *messages(request) {
    const call = this.client.StreamBatches(request, this.metadata("node.0"));
    let timer;
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(() => call.cancel(), STALLED_MS);
    };
    watch();
    try {
      for await (const batch of call) {
        clearTimeout(timer);
        yield batch;
        watch();
      }
    } finally {
      clearTimeout(timer);
      call.cancel();
    }
  }

  verify(batch, indices, step, address) {
    const place = `step ${step} of epoch ${address.epoch}`;
    if (Number(batch.step) !== step || Number(batch.epoch) !== address.epoch) throw new Error(`${place}: got ${batch.step}`);
    if (checksum(batch) !== BigInt(batch.checksum)) throw new Error(`${place}: another checksum`);
    if (batch.indices.join() !== indices.join()) throw new Error(`${place}: the order is another`);
  }

  decode(batch) {
    return decodeImages(batch, this.dataset.spec);
  }

  close() {
    this.client.close();
  }
}
