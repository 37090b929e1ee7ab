// The pages of examples/dialects, unchanged but for the server's address: two people each, over a line that is cut.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

import { launch, Tab } from "../support/browser.js";
import { Faults } from "../support/faults.js";
import { Server } from "../support/server.js";

const PAGES = fileURLToPath(new URL("../../examples/dialects/", import.meta.url));

let pages;
let browser;

before(async () => {
  pages = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://pages");
    if (pathname === "/favicon.ico") return response.writeHead(204).end();
    const text = readFileSync(`${PAGES}${pathname}`, "utf8");
    response.setHeader("Content-Type", pathname.endsWith(".css") ? "text/css" : "text/html");
    response.end(text.replaceAll("127.0.0.1:8000", `127.0.0.1:${searchParams.get("port")}`));
  }).listen(0, "127.0.0.1");
  await once(pages, "listening");
  browser = await launch();
});

after(async () => {
  await browser?.close();
  pages?.close();
});

/** A server of one's own: all pages are in the same room, whatever they speak. */
function start() {
  // Who is cut is said to have left soon; by default it is 10 s, in which most come back.
  const env = { FANFARE_AUTH_MODE: "required", FANFARE_NAMESPACE_PRESENCE_GRACE: "500ms" };
  return Server.start({ secure: true, origin: `http://127.0.0.1:${pages.address().port}`, env });
}

/** One person's page, whose server is behind `port`. */
async function open(server, dialect, user, port = server.port) {
  const tab = await Tab.open(browser, { viewport: { width: 640, height: 560 } });
  const { page } = tab;
  const query = new URLSearchParams({ port, token: server.token(user, 3600, { name: user.toUpperCase() }) });
  await page.goto(`http://127.0.0.1:${pages.address().port}/${dialect}.html?${query}`);
  assert.deepEqual(await tab.barriers(), []);
  return page;
}

async function say(page, text) {
  await page.getByLabel("Message").fill(text);
  await page.getByLabel("Message").press("Enter");
}

/** Waits until a page's last lines are these, and nothing is behind them. */
async function shows(page, ...wanted) {
  const shown = () => page.locator("#log li").allTextContents();
  const fits = (wanted) => {
    const shown = [...document.querySelectorAll("#log li")].map((item) => item.textContent);
    return shown.slice(-wanted.length).join("\n") === wanted.join("\n");
  };
  await page.waitForFunction(fits, wanted, { timeout: 15_000 }).catch(async () => {
    assert.deepEqual((await shown()).slice(-wanted.length), wanted);
  });
}

/** Boris comes through a line that is cut while Ann's is not; what `during` does happens meanwhile. */
async function overACut(dialect, meet, during, meetAgain) {
  const server = await start();
  const faults = await Faults.start(server.port);
  try {
    const ann = await open(server, dialect, "ann");
    await meet.first(ann);
    const boris = await open(server, dialect, "boris", faults.port);
    await meet.both(ann, boris);
    await faults.order("cut");
    await during(ann);
    await faults.order("heal");
    await meetAgain(ann, boris, server);
    await ann.screenshot({ path: fileURLToPath(new URL(`../../.cache/e2e/${dialect}.png`, import.meta.url)) });
    for (const page of [ann, boris]) await page.context().close();
  } finally {
    await faults.dispose();
    await server.dispose();
  }
}

describe("a page that speaks", { concurrency: 3 }, () => {
  test("rooms hears everybody who comes, goes and speaks", async () => {
    const meet = {
      first: (ann) => shows(ann, "ann joined"),
      both: async (ann, boris) => {
        await shows(ann, "ann joined", "boris joined");
        await say(boris, "Hello, Ann");
        for (const page of [ann, boris]) await shows(page, "boris joined", "boris: Hello, Ann");
      },
    };
    const during = (ann) => shows(ann, "boris: Hello, Ann", "boris left");
    await overACut("rooms", meet, during, async (ann, boris) => {
      await shows(ann, "boris left", "boris joined");
      await say(ann, "You are back");
      for (const page of [ann, boris]) await shows(page, "boris joined", "ann: You are back");
    });
  });

  test("envelope has its requests answered and hears what others say", async () => {
    const meet = {
      first: (ann) => shows(ann, "ann is in chat:lobby"),
      both: async (ann, boris) => {
        await shows(boris, "boris is in chat:lobby");
        await say(boris, "Hello, Ann");
        await shows(ann, "ann is in chat:lobby", "boris: Hello, Ann");
        await shows(boris, "boris is in chat:lobby", "boris: Hello, Ann");
      },
    };
    const during = (ann) => say(ann, "Nobody else hears this");
    await overACut("envelope", meet, during, async (ann, boris, server) => {
      await shows(boris, "boris: Hello, Ann", "boris is in chat:lobby");
      await say(ann, "You are back");
      await shows(boris, "boris is in chat:lobby", "ann: You are back");
      const response = await server.post("api/broadcast", { message: "good night" });
      assert.equal(response.status, 200);
      for (const page of [ann, boris]) await shows(page, "ann: You are back", "to all: good night");
    });
  });

  test("topics has a roster and heartbeats", async () => {
    const roster = (page, ...users) => page.getByText(`Here: ${users.join(", ")}`, { exact: true }).waitFor();
    const meet = {
      first: (ann) => shows(ann, "ann joined"),
      both: async (ann, boris) => {
        await shows(ann, "ann joined", "boris joined");
        for (const page of [ann, boris]) await roster(page, "ann", "boris");
        await boris.waitForFunction("socket.delay >= 0");
        await say(boris, "Hello, Ann");
        for (const page of [ann, boris]) await shows(page, "boris joined", "boris: Hello, Ann");
      },
    };
    const during = (ann) => shows(ann, "boris: Hello, Ann", "boris left");
    await overACut("topics", meet, during, async (ann, boris) => {
      await shows(ann, "boris left", "boris joined");
      await say(ann, "You are back");
      for (const page of [ann, boris]) await shows(page, "boris joined", "ann: You are back");
    });
  });

  test("chat has what was said before, and who came and went", async () => {
    const meet = {
      first: async (ann) => {
        await shows(ann, "ANN joined the room");
        await say(ann, "Is anybody here?");
        await shows(ann, "ANN joined the room", "ANN: Is anybody here?");
      },
      both: async (ann, boris) => {
        const past = ["ANN joined the room", "ANN: Is anybody here?"];
        for (const page of [ann, boris]) await shows(page, ...past, "BORIS joined the room");
      },
    };
    const during = async (ann) => {
      await shows(ann, "BORIS joined the room", "BORIS left the room");
      await say(ann, "Where are you?");
    };
    await overACut("chat", meet, during, async (ann, boris) => {
      const since = ["BORIS left the room", "ANN: Where are you?", "BORIS joined the room"];
      for (const page of [ann, boris]) {
        await shows(page, "ANN joined the room", "ANN: Is anybody here?", "BORIS joined the room", ...since);
      }
      await say(boris, "Here again");
      for (const page of [ann, boris]) await shows(page, "BORIS joined the room", "BORIS: Here again");
    });
  });

  test("raw sends bytes to everybody else", async () => {
    const painted = (page, color) =>
      page.waitForFunction((color) => {
        const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value, at) => value === color && data[at + 3] === 255 && at % 4 === 0);
      }, color);
    const draw = async (page, to) => {
      const { x, y } = await page.locator("canvas").boundingBox();
      await page.mouse.move(x + 20, y + 20);
      await page.mouse.down();
      await page.mouse.move(x + to, y + to, { steps: 20 });
      await page.mouse.up();
    };
    const [mine, others] = [0x2f, 0xd0]; // red, of blue and of red
    const connected = (page) => page.waitForFunction("socket.readyState === 1");
    const meet = {
      first: connected,
      both: async (ann, boris) => {
        await connected(boris);
        await draw(boris, 200);
        await painted(boris, mine);
        await painted(ann, others);
        await boris.evaluate("globalThis.former = socket; null");
      },
    };
    await overACut("raw", meet, () => {}, async (ann, boris) => {
      await boris.waitForFunction("socket !== globalThis.former && socket.readyState === 1");
      await draw(ann, 150);
      await painted(boris, others);
    });
  });

  test("its own dialect is heard by those who speak others", async () => {
    const server = await start();
    const pages = {};
    try {
      for (const dialect of ["rooms", "topics", "chat"]) {
        pages[dialect] = await open(server, dialect, dialect);
        await pages[dialect].locator("#log li").first().waitFor(); // has joined
      }
      for (const speaker of Object.keys(pages)) {
        await say(pages[speaker], "Hello, all of you");
        for (const [dialect, page] of Object.entries(pages)) {
          const name = dialect === "chat" ? speaker.toUpperCase() : speaker; // chat shows the token's name
          await shows(page, `${name}: Hello, all of you`);
        }
      }
    } finally {
      for (const page of Object.values(pages)) await page.context().close();
      await server.dispose();
    }
  });
});
