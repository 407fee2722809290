/** Where lse keeps what can be made again: gold results, measured settings, downloads. */
import envPaths from "env-paths";

/** The user's cache folder, unless a configuration names another. */
export const defaultCacheFolder = (): string => envPaths("lse", { suffix: "" }).cache;
