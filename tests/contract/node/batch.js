// Batches: their checksum, and their images decoded from each codec.
import { decompress } from "fzstd";
import { createXXHash3 } from "hash-wasm";
import { PNG } from "pngjs";

const hasher = await createXXHash3(0, 0);

function littleEndian(values, size) {
  const bytes = Buffer.alloc(values.length * size);
  values.forEach((value, i) => (size === 8 ? bytes.writeBigUInt64LE(BigInt(value), i * 8) : bytes.writeUInt32LE(value, i * 4)));
  return bytes;
}

export function checksum(batch) {
  hasher.init();
  for (const part of [littleEndian(batch.indices, 8), batch.labels, littleEndian(batch.imageSizes, 4), batch.images]) {
    if (part.length) hasher.update(part);
  }
  return BigInt("0x" + hasher.digest());
}

function pixelsOfPng(file) {
  const { width, height, data } = PNG.sync.read(file);
  const pixels = Buffer.alloc(width * height * 3);
  for (let i = 0; i < width * height; i += 1) data.copy(pixels, i * 3, i * 4, i * 4 + 3);
  return pixels;
}

export function decodeImage(image, codec) {
  if (codec === "CODEC_ZSTD") return Buffer.from(decompress(image));
  return codec === "CODEC_PNG" ? pixelsOfPng(image) : image;
}

// The n images as Buffers of height * width * 3 bytes.
export function decodeImages(batch, spec) {
  const size = spec.width * spec.height * 3;
  const sizes = batch.codec === "CODEC_RAW" ? batch.indices.map(() => size) : batch.imageSizes;
  let end = 0;
  const images = sizes.map((length) => decodeImage(batch.images.subarray(end, (end += length)), batch.codec));
  if (end !== batch.images.length) throw new Error(`step ${batch.step}: ${batch.images.length} bytes, sizes say ${end}`);
  for (const image of images) if (image.length !== size) throw new Error(`an image of ${image.length} bytes`);
  return images;
}
