/** A model hub's list of files, its mirror, its token. */
import { z } from "zod";
import { LseError } from "../errors.js";
import { chunksOf, type FileAddress, persist, request } from "./http.js";
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
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    throw new LseError(
      "HF_ENDPOINT is no http or https address without a user name",
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
  { endpoint, token }: Hub,
  repository: string,
  context: DownloadContext,
): Promise<RemoteFile[]> {
  const kind = repository.startsWith("datasets/") ? "" : "models/";
  const page = `${endpoint}/${repository}`;
  const url = `${endpoint}/api/${kind}${repository}/tree/main?recursive=true`;
  const text = await persist(repository, context, async () => {
    const response = await request({ url, token, page }, {}, context.signal);
    return await textOf(response, context);
  });
  return parseListing(text, url)
    .filter(({ type }) => type === "file")
    .map(({ path, size, lfs }) => ({
      path: safePath(path, url),
      url: `${page}/resolve/main/${path.split("/").map(encodeURIComponent).join("/")}`,
      token,
      page,
      bytes: size,
      sha256: lfs?.oid ?? null,
    }));
}

async function textOf(response: Response, { settings, signal }: DownloadContext): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of chunksOf(response, settings.stallMs, signal)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
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
