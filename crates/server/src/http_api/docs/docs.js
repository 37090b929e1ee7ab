// Lists the operations of the OpenAPI document and sends requests. All text goes in as text, never as HTML.
"use strict";

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

const resolved = (api, part) =>
  part?.$ref ? part.$ref.slice(2).split("/").reduce((at, key) => at?.[key], api) : part;

const typeOf = (schema) => {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.oneOf && !schema.type) return schema.oneOf.map(typeOf).join(" or ");
  const type = [schema.type ?? "any"].flat().join(" or ");
  return type === "array" && schema.items ? `list of ${typeOf(schema.items)}` : type;
};

/** What a member is for: one that may be null says it of its other form. */
const meaning = (member) => member.description ?? member.oneOf?.find((form) => form.description)?.description ?? "";

/** A table of the members of a schema. */
const members = (schema) => {
  const table = element("table");
  const head = element("tr");
  for (const title of ["member", "type", "meaning"]) head.append(element("th", title, { scope: "col" }));
  table.append(head);
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const row = element("tr");
    const needed = schema.required?.includes(name) ? " (required)" : "";
    row.append(element("td", name + needed), element("td", typeOf(member)), element("td", meaning(member)));
    table.append(row);
  }
  return table;
};

/** A body to begin with: the document's own example, else the members that have to be there. */
const example = (schema) => {
  if (schema.example) return JSON.stringify(schema.example, null, 2);
  const body = {};
  for (const name of schema.required ?? []) {
    const type = [schema.properties?.[name]?.type ?? "string"].flat()[0];
    body[name] = { integer: 0, number: 0, boolean: false, array: [], object: {} }[type] ?? "";
  }
  return JSON.stringify(body, null, 2);
};

const send = async (method, path, body, output) => {
  const headers = {};
  const key = document.getElementById("key").value.trim();
  if (key !== "") headers["X-API-Key"] = key;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  output.hidden = false;
  output.textContent = "waiting for the answer …";
  try {
    const response = await fetch(path, { method, headers, body });
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* It is no JSON, and is shown as it is. */ }
    output.textContent = `${response.status} ${response.statusText}\n${shown}`;
  } catch (error) {
    output.textContent = `the request failed: ${error.message}`;
  }
};

const show = (api, path, method, operation) => {
  const box = element("details");
  const summary = element("summary");
  summary.append(element("code", `${method.toUpperCase()} ${path}`), ` ${operation.summary ?? ""}`);
  box.append(summary);
  const schema = resolved(api, operation.requestBody?.content?.["application/json"]?.schema);
  const name = `${method} ${path}`;
  let area;
  if (schema) {
    area = element("textarea", undefined, { "aria-label": `body of ${name}`, spellcheck: "false" });
    area.value = example(schema);
    box.append(members(schema), area);
  }
  let query;
  if (operation.parameters?.length) {
    const properties = {};
    for (const part of operation.parameters) properties[part.name] = { ...part.schema, description: part.description };
    const required = operation.parameters.filter((part) => part.required).map((part) => part.name);
    box.append(members({ properties, required }));
    query = element("input", undefined, { "aria-label": `query of ${name}`, placeholder: "name=value&…" });
    box.append(query, " ");
  }
  const button = element("button", "Send", { type: "button" });
  const output = element("pre", undefined, { "aria-live": "polite", tabindex: "0" });
  output.hidden = true;
  button.addEventListener("click", () => {
    const target = query?.value ? `${path}?${query.value.replace(/^\?/, "")}` : path;
    send(method.toUpperCase(), target, area?.value, output);
  });
  box.append(button, output);
  return box;
};

const begin = async () => {
  const state = document.getElementById("state");
  try {
    const response = await fetch("/openapi.json");
    if (!response.ok) throw new Error(`status ${response.status}`);
    const api = await response.json();
    const list = document.getElementById("operations");
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of ["post", "get"]) {
        if (item[method]) list.append(show(api, path, method, item[method]));
      }
    }
    state.textContent = `Fanfare ${api.info.version}. ${api.info.description}`;
  } catch (error) {
    state.textContent = `The document cannot be loaded: ${error.message}`;
  }
};

begin();
