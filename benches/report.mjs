// Joins the raw files of benches/run.sh into one JSON file and one Markdown table of medians.
//
// Usage: node report.mjs DIR [--quick]   (--quick only prints)
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const [directory, flag] = process.argv.slice(2);

/** What the Markdown table shows of each scenario; the JSON file has everything. */
const SHOWN = [
  ["idle_", ["server_rss_kib_per_connection", "server_cpu_cores"]],
  ["fanout_1k_at", ["server_cpu_us_per_delivery", "latency_p50_ms", "latency_p99_ms"]],
  ["fanout_", ["deliveries_per_second", "server_cpu_us_per_delivery", "generator_cpu_cores"]],
  ["many_", ["deliveries_per_second", "server_cpu_us_per_delivery", "generator_cpu_cores"]],
  ["rooms_", ["server_cpu_us_per_delivery", "latency_p50_ms", "latency_p99_ms"]],
  ["latency_", ["latency_p50_ms", "latency_p99_ms", "latency_p999_ms", "server_cpu_us_per_delivery"]],
  ["connection_rate", ["connections_per_second", "server_cpu_us_per_connection", "connect_latency_p99_ms"]],
  [
    "small_rooms_",
    ["quiet_small_rooms_latency_p99_ms", "loud_small_rooms_latency_p99_ms", "small_rooms_p99_loud_to_quiet_ratio"],
  ],
  [
    "stalled_",
    [
      "others_p99_stalled_to_quiet_ratio",
      "stalled_closed_with_4011",
      "stalled_cut_without_close",
      "stalled_kept_and_complete",
      "server_rss_peak_mib",
    ],
  ],
];

function git(...args) {
  return execFileSync("git", args, { cwd: here, encoding: "utf8" }).trim();
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** All runs as {scenario: {peer: [{metrics, faults}]}}, in the order in which they were made. */
function readRuns() {
  const runs = {};
  const settings = {};
  const names = readdirSync(directory).filter((name) => /^run-\d+-.*\.json$/.test(name));
  const written = (name) => statSync(join(directory, name)).mtimeMs;
  names.sort((a, b) => written(a) - written(b));
  for (const name of names) {
    const { peer, scenarios, url: _, ...rest } = JSON.parse(readFileSync(join(directory, name), "utf8"));
    Object.assign(settings, rest);
    for (const { scenario, runs: made } of scenarios) {
      runs[scenario] ??= {};
      (runs[scenario][peer] ??= []).push(...made);
    }
  }
  return { runs, settings };
}

/** Medians of the sound runs. */
function medians(made) {
  const sound = made.filter((run) => run.faults.length === 0);
  const names = Object.keys(sound[0]?.metrics ?? {});
  return Object.fromEntries(names.map((name) => [name, median(sound.map((run) => run.metrics[name]))]));
}

/** Milliseconds from starting to listening, the median for each server. */
function starts() {
  const taken = {};
  for (const line of readFileSync(join(directory, "starts.tsv"), "utf8").trim().split("\n")) {
    const [peer, milliseconds] = line.split("\t");
    (taken[peer] ??= []).push(Number(milliseconds));
  }
  return Object.fromEntries(Object.entries(taken).map(([peer, values]) => [peer, median(values)]));
}

function versions() {
  const first = (command, ...args) => {
    try {
      return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim().split("\n")[0];
    } catch {
      return "not there";
    }
  };
  const { dependencies } = JSON.parse(readFileSync(join(here, "peers/package.json"), "utf8"));
  return {
    node: process.version,
    ws: dependencies.ws,
    "socket.io": dependencies["socket.io"],
    "nats-server": first("nats-server", "--version").replace(/^.*?(\d)/, "$1"),
    nginx: first("dpkg-query", "-W", "-f", "${Version}", "nginx"),
    nchan: first("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan"),
  };
}

function number(value) {
  if (value === undefined) return "";
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function markdown(report) {
  const peers = [...new Set(Object.values(report.scenarios).flatMap((scenario) => Object.keys(scenario.medians)))];
  const lines = [
    "# Fanfare beside its peers",
    "",
    `Measured ${report.date} at commit ${report.commit}, medians of ${report.runs} runs of ${report.settings.seconds} s, ` +
      `servers and load generator together on one machine: ${report.machine.cores} cores (${report.machine.cpu}), ` +
      `Linux ${report.machine.kernel}. Ratios between columns mean more than the numbers themselves.`,
    "",
    `Saturated scenarios keep ${report.settings.window} publications of a room under way; every delivery is counted, ` +
      "and a run that lost, doubled or reordered one is left out (shown as †).",
    "",
    `Versions: ${Object.entries(report.versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}.`,
    "",
    `| | ${peers.join(" | ")} |`,
    `|---|${peers.map(() => "---:|").join("")}`,
    `| start to listening, ms | ${peers.map((peer) => number(report.start_to_listening_ms[peer])).join(" | ")} |`,
  ];
  for (const [name, { medians: byPeer, faulty }] of Object.entries(report.scenarios)) {
    const marks = peers.map((peer) => (faulty[peer] ? "†".repeat(Math.min(faulty[peer], 5)) : ""));
    lines.push(`| **${name}** | ${marks.join(" | ")} |`);
    const metrics = SHOWN.find(([beginning]) => name.startsWith(beginning))?.[1] ?? [];
    for (const metric of metrics) {
      lines.push(`| ${metric} | ${peers.map((peer) => number(byPeer[peer]?.[metric])).join(" | ")} |`);
    }
  }
  return `${lines.join("\n")}\n`;
}

const { runs, settings } = readRuns();
const scenarios = {};
for (const [name, byPeer] of Object.entries(runs)) {
  const entries = Object.entries(byPeer);
  scenarios[name] = {
    medians: Object.fromEntries(entries.map(([peer, made]) => [peer, medians(made)])),
    faulty: Object.fromEntries(entries.map(([peer, made]) => [peer, made.filter((run) => run.faults.length > 0).length])),
    runs: byPeer,
  };
}
const dirty = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "-dirty";
const report = {
  date: new Date().toISOString().slice(0, 10),
  commit: git("rev-parse", "--short=10", "HEAD") + dirty,
  machine: { cores: cpus().length, cpu: cpus()[0].model.trim(), kernel: release() },
  versions: versions(),
  runs: Math.max(...Object.values(runs).flatMap((byPeer) => Object.values(byPeer).map((made) => made.length))),
  settings,
  start_to_listening_ms: starts(),
  server_binary_bytes: process.env.FANFARE ? statSync(process.env.FANFARE).size : undefined,
  scenarios,
};
const table = markdown(report);
if (flag === "--quick") {
  console.log(table);
} else {
  const file = join(here, "results", `${report.date}-${report.commit}.json`);
  mkdirSync(join(here, "results"), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, null, 1)}\n`);
  writeFileSync(join(here, "results/latest.md"), table);
  console.log(`wrote ${file} and latest.md beside it`);
}
