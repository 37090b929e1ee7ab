// A certificate for localhost that nobody has signed.
import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";

/** Writes `tls.crt` and `tls.key`, in PEM, into a folder; their paths. */
export async function certify(folder) {
  const [certificate, key] = ["tls.crt", "tls.key"].map((name) => path.join(folder, name));
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const files = ["-keyout", key, "-out", certificate];
  await promisify(execFile)("openssl", ["req", "-x509", ...curve, "-days", "2", ...subject, ...files]);
  return { certificate, key };
}
