// The Python package `websockets`, in the environment that scripts/setup.sh made.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Server } from "../support/server.js";

const PYTHON = fileURLToPath(new URL("../../.cache/venv/bin/python", import.meta.url));
const SCENARIO = fileURLToPath(new URL("../python/scenario.py", import.meta.url));

let server;
before(async () => (server = await Server.start()));
after(() => server?.dispose());

const OUTCOME = "ok conversation\nok bad_input\nok closing\n";

test("python's websockets subscribes, publishes, errs and closes", async () => {
  const { stdout } = await promisify(execFile)(PYTHON, [SCENARIO, `ws://127.0.0.1:${server.port}/ws`]);
  assert.equal(stdout, OUTCOME);
});

test("and all of it compressed", async () => {
  const env = { FANFARE_COMPRESSION_ENABLED: "true", FANFARE_COMPRESSION_THRESHOLD_BYTES: "0" };
  const compressing = await Server.start({ env });
  try {
    const address = `ws://127.0.0.1:${compressing.port}/ws`;
    const { stdout } = await promisify(execFile)(PYTHON, [SCENARIO, address, "compressed"]);
    assert.equal(stdout, OUTCOME);
  } finally {
    await compressing.dispose();
  }
});
