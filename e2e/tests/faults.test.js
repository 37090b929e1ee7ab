// Lines that fail in every way that the fault proxy knows, seen by npm's `ws`.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Faults } from "../support/faults.js";
import { Line } from "../support/line.js";
import { Server } from "../support/server.js";

let server;
let faults;
before(async () => {
  server = await Server.start();
  faults = await Faults.start(server.port);
});
after(async () => {
  await faults?.dispose();
  await server?.dispose();
});

const open = (port, user) => Line.open(`ws://127.0.0.1:${port}/ws?user=${user}`);

for (const order of ["cut", "cut NEWEST", "drop 1"]) {
  test(`what is said after "${order}" is recovered on the next line`, async () => {
    const channel = `chat:${order.replaceAll(" ", "-")}`;
    await faults.order("heal");
    const [ann, boris] = await Promise.all([open(server.port, "ann"), open(faults.port, "boris")]);
    let { epoch, offset } = await boris.ask({ type: "subscribe", id: 1, channel });
    const newest = (await faults.order("connections")).split(" ").at(-1);
    await faults.order(order.replace("NEWEST", newest.split("=")[0]));
    for (const data of [1, 2, 3]) await ann.ask({ type: "publish", id: data, channel, data });
    assert.equal((await boris.closed).code, 1006);

    await faults.order("heal");
    await faults.order("delay 20");
    const again = await open(faults.port, "boris");
    const reply = await again.ask({ type: "subscribe", id: 1, channel, recover: { epoch, offset } });
    assert.equal(reply.recovered, true);
    for (const data of [1, 2, 3]) {
      const message = await again.next("message");
      assert.deepEqual([message.data, message.offset], [data, ++offset]);
    }
    await Promise.all([ann.close(), again.close()]);
  });
}

test("what is said into a blackhole comes out when it is healed", async () => {
  await faults.order("heal");
  const [ann, boris] = await Promise.all([open(server.port, "ann"), open(faults.port, "boris")]);
  const channel = "chat:blackhole";
  await boris.ask({ type: "subscribe", id: 1, channel });
  await faults.order("blackhole");
  for (const data of [1, 2, 3]) await ann.ask({ type: "publish", id: data, channel, data });
  await faults.order("heal");
  for (const data of [1, 2, 3]) assert.equal((await boris.next("message")).data, data);
  await Promise.all([ann.close(), boris.close()]);
});
