// Fails unless the module (first argument) imports nothing; then plays its host, the browser and
// the authorization server for one login.

import { strict as assert } from "node:assert";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
const module = new WebAssembly.Module(bytes);
assert.deepEqual(WebAssembly.Module.imports(module), [], "the module imports something");

const { memory, buffer, said, ...login } = new WebAssembly.Instance(module).exports;

let now = 1_700_000_000n;
function call(transition, input = "") {
  const heard = Buffer.from(input);
  const at = buffer(heard.length);
  new Uint8Array(memory.buffer, at, heard.length).set(heard);
  const length = login[transition](now);
  return length < 0 ? null : Buffer.from(memory.buffer, said(), length).toString();
}

assert.equal(call("begin", randomBytes(79)), null, "80 random bytes make a login");
const url = new URL(call("begin", randomBytes(80)));
assert.equal(url.origin + url.pathname, "https://as.example/authorize");
const asked = url.searchParams;
assert.equal(asked.get("code_challenge_method"), "S256");

const callback = (state) => `${asked.get("redirect_uri")}?code=c%2B1&state=${state}`;
assert.equal(call("accept", callback("forged")), null);
const redeemed = new URLSearchParams(call("accept", callback(asked.get("state"))));
assert.equal(redeemed.get("grant_type"), "authorization_code");
assert.equal(redeemed.get("code"), "c+1");
const challenge = createHash("sha256").update(redeemed.get("code_verifier")).digest("base64url");
assert.equal(challenge, asked.get("code_challenge"));

const tokens = (number) =>
  `{"access_token":"a${number}","token_type":"Bearer","expires_in":3600,"refresh_token":"r${number}"}`;
assert.equal(call("receive", tokens(1)), "a1");

now += 3600n;
const refresh = new URLSearchParams(call("refresh"));
assert.equal(refresh.get("grant_type"), "refresh_token");
assert.equal(refresh.get("refresh_token"), "r1");
assert.equal(call("receive", tokens(2)), "a2");

console.log(`wasm: ${bytes.length} bytes, 0 imports; logged in and refreshed`);
