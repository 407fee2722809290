/** How downloads behave; tests take smaller numbers. */
export interface DownloadSettings {
  /** Requests under way at once. */
  readonly connections: number;
  /** Most bytes that one request asks for; smaller files are fetched whole. */
  readonly pieceBytes: number;
  /** Tries in a row that brought nothing, after which a download ends. */
  readonly tries: number;
  /** Wait after the first such try; it doubles with each. */
  readonly pauseMs: number;
  /** A connection that has brought nothing for so long counts as cut. */
  readonly stallMs: number;
}

export const DOWNLOAD_SETTINGS: DownloadSettings = Object.freeze({
  connections: 4,
  pieceBytes: 64 * 2 ** 20,
  tries: 6,
  pauseMs: 1000,
  stallMs: 60_000,
});

/** What every download needs beside its file. */
export interface DownloadContext {
  readonly settings: DownloadSettings;
  /** Ends it; what was got stays. */
  readonly signal: AbortSignal;
  /** Tells the user a line. */
  readonly say: (line: string) => void;
}
