// Captchas of svg-captcha on standard output: the label's length (one byte), the label, then 150 * 50 RGBA pixels.
// Usage: node render.js COUNT SEED. The library draws from Math.random, which is replaced by a seeded generator.
"use strict";
const fs = require("fs");
const svgCaptcha = require("svg-captcha");
const { Resvg } = require("@resvg/resvg-js");

let state = Number(process.argv[3]) >>> 0;

// A linear congruential generator: x -> 1664525 x + 1013904223 modulo 2^32 (Knuth, volume 2, table 3.3.4).
Math.random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 4294967296;
};

const below = (n) => Math.floor(Math.random() * n);
const pale = () => "#" + [0, 1, 2].map(() => (150 + below(105)).toString(16)).join("");

function writeAll(bytes) {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

for (let left = Number(process.argv[2]); left > 0; left--) {
  const captcha = svgCaptcha.create({
    size: 4 + below(3), noise: 2 + below(2), color: true, background: pale(),
    width: 150, height: 50, ignoreChars: "0oO1iIl",
  });
  const pixels = new Resvg(captcha.data).render().pixels;
  writeAll(Buffer.concat([Buffer.from([captcha.text.length]), Buffer.from(captcha.text), pixels]));
}
