/** A model hub's list of files, its mirror, its token. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { shortLine } from "../lib/printable.js";
import { ConnectionLost, chunksOf, type FileAddress, persist, request } from "./http.js";
import type { DownloadContext } from "./settings.js";

/** A file to download. */
export interface RemoteFile extends FileAddress {
  /** Where it belongs in the folder, with "/". */
  readonly path: string;
  /** Null where only the server knows. */
  readonly bytes: number | null;
  /** In hex; null where it is not known. */
  readonly sha256: string | null;
}

/** Hugging Face's hub, or a mirror of it. */
export interface Hub {
  /** Without a slash at the end. */
  readonly endpoint: string;
  readonly token: string | null;
}

const OFFICIAL = "https://huggingface.co";

const listingSchema = z.array(
  z.looseObject({
    type: z.string(),
    path: z.string(),
    size: z.int().min(0),
    /** Of large files, whose object id is their SHA-256. */
    lfs: z.looseObject({ oid: z.string().regex(/^[0-9a-f]{64}$/) }).optional(),
  }),
);

/**
 * The hub that HF_ENDPOINT and HF_TOKEN name, as in Hugging Face's own programs.
 * @throws LseError that does not repeat the values, which may contain secrets
 */
export function hubOf({ HF_ENDPOINT, HF_TOKEN }: NodeJS.ProcessEnv): Hub {
  const token = HF_TOKEN?.trim() || null;
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    throw new LseError(
      "HF_TOKEN is no token",
      "Set it to a token from https://huggingface.co/settings/tokens",
    );
  }
  const endpoint = (HF_ENDPOINT?.trim() || OFFICIAL).replace(/\/+$/, "");
  const url = URL.canParse(endpoint) ? new URL(endpoint) : null;
  const secrets = [url?.username, url?.password, url?.search, url?.hash];
  if (url === null || !/^https?:$/.test(url.protocol) || secrets.some((each) => each !== "")) {
    throw new LseError(
      "HF_ENDPOINT is no http or https address without a user name or a query",
      "Set it to a mirror's address, or unset it",
    );
  }
  return { endpoint, token };
}

/**
 * All files of a repository, as the hub lists them.
 * @param repository owner/name of a model, or datasets/owner/name
 */
export async function listRepository(
  hub: Hub,
  repository: string,
  context: DownloadContext,
): Promise<RemoteFile[]> {
  const { endpoint, token } = hub;
  const kind = repository.startsWith("datasets/") ? "" : "models/";
  const page = `${endpoint}/${repository}`;
  const files: RemoteFile[] = [];
  const origin = new URL(endpoint).origin;
  let next: string | null = `${endpoint}/api/${kind}${repository}/tree/main?recursive=true`;
  for (let pages = 0; next !== null; pages++) {
    const url: string = next;
    if (pages === MOST_PAGES)
      throw new LseError(`${url}: the list of files has no end`, "Check HF_ENDPOINT, or unset it");
    // The token goes to the hub alone.
    const address = { url, page, token: new URL(url).origin === origin ? token : null };
    const listed = await persist(repository, context, () => pageOf(address, context));
    next = nextPage(listed, origin);
    for (const { type, path, size, lfs } of parseListing(listed.text, url)) {
      if (type !== "file") continue;
      const file = { path: safePath(path, url), bytes: size, sha256: lfs?.oid ?? null };
      files.push(fileOf(hub, repository, file));
    }
  }
  return files;
}

/** A file of a repository, with its address. */
export function fileOf(
  { endpoint, token }: Hub,
  repository: string,
  file: Pick<RemoteFile, "path" | "bytes" | "sha256">,
): RemoteFile {
  const page = `${endpoint}/${repository}`;
  const url = `${page}/resolve/main/${file.path.split("/").map(encodeURIComponent).join("/")}`;
  return { ...file, url, token, page };
}

/** A thousand files each: more than any repository has. */
const MOST_PAGES = 1000;
const MOST_BYTES = 64 * 2 ** 20;
/** Time limit of a page, of which some bytes always come. */
const PAGE_STALLS = 5;

/** One page of a list. */
interface ListedPage {
  readonly text: string;
  /** Where it came from, after redirects. */
  readonly from: string;
  readonly link: string | null;
}

async function pageOf(address: FileAddress, context: DownloadContext): Promise<ListedPage> {
  const { stallMs } = context.settings;
  const late = AbortSignal.timeout(PAGE_STALLS * stallMs);
  const signal = AbortSignal.any([context.signal, late]);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    const response = await request(address, {}, { ...context, signal });
    for await (const chunk of chunksOf(response, stallMs, signal)) {
      bytes += chunk.length;
      if (bytes > MOST_BYTES)
        throw new LseError(`${address.url}: the list of files is too long`, "Check HF_ENDPOINT, or unset it");
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString("utf8");
    return { text, from: response.url, link: response.headers.get("link") };
  } catch (error) {
    if (!late.aborted || context.signal.aborted || error instanceof LseError) throw error;
    throw new ConnectionLost(`the list did not come whole in ${(PAGE_STALLS * stallMs) / 1000} s`);
  }
}

/**
 * The address of the page after this one; null after the last.
 * @param hub the hub's origin
 * @throws LseError for a page elsewhere: without it, files would be missing
 */
function nextPage({ from, link }: ListedPage, hub: string): string | null {
  const [, target] = /<([^<>]*)>\s*;[^<,]*\brel="?next\b/i.exec(link ?? "") ?? [];
  if (target === undefined) return null;
  const next = URL.canParse(target, from) ? new URL(target, from) : null;
  if (next !== null && [new URL(from).origin, hub].includes(next.origin)) return next.href;
  throw new LseError(
    `${shortLine(from)}: the list of files goes on at another server (${shortLine(next?.origin ?? target, 100)})`,
    "Check HF_ENDPOINT, or unset it",
  );
}

function parseListing(text: string, url: string): z.infer<typeof listingSchema> {
  try {
    return listingSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new LseError(`${url}: this is no list of files`, "Check HF_ENDPOINT, or unset it", { cause });
  }
}

/** Files must stay in their folder, whatever a server says. */
function safePath(path: string, url: string): string {
  const parts = path.split("/");
  if (!/[\\:\0]/.test(path) && parts.every((part) => part !== "" && part !== "." && part !== ".."))
    return path;
  throw new LseError(`${url}: ${JSON.stringify(path)} is no path inside a folder`, "Do not use this server");
}
