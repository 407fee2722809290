/** An error in one line: what is wrong, and what to do. */
import { LseError } from "../errors.js";
import { printableLine } from "../lib/printable.js";

/** What to do about errors of the operating system. */
const NEXT_STEPS: Readonly<Record<string, string>> = {
  ENOSPC: "Make room on the disk, then do it again: what was paid for is kept",
  EDQUOT: "Make room on the disk, then do it again: what was paid for is kept",
  EFBIG: "The system does not allow files of this size: raise its limit, then do it again",
  EROFS: "Give a folder that can be written",
  EACCES: "Check the permissions of the file and its folder",
  EPERM: "Check the permissions of the file and its folder",
  ENOENT: "Check the path; it may have been removed meanwhile",
  EISDIR: "Give a file: this is a folder",
  ENOTDIR: "Give a folder: this is a file",
  EEXIST: "Give another path: this one exists",
  ENAMETOOLONG: "Give a shorter path",
  ELOOP: "Check the path: its links lead in a circle",
  EMFILE: "Too many files are open: raise the limit (ulimit -n)",
};

const ANY_STEP = "Check the path, its permissions and the disk";

/** The message of an error for somebody who uses the command line. */
export async function failureText(error: unknown): Promise<string> {
  if (error instanceof LseError) {
    const { withFlags } = await import("./evolve-options.js");
    return printableLine(withFlags(error.message));
  }
  if (!(error instanceof Error)) return printableLine(`${String(error)}. ${DEFECT}.`);
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) {
    const where = path === undefined || error.message.includes(path) ? "" : `${path}: `;
    return printableLine(`${where}${error.message}. ${NEXT_STEPS[code] ?? ANY_STEP}.`);
  }
  if (process.env.LSE_STACK) return error.stack ?? error.message;
  return printableLine(`${error.name}: ${error.message}. ${DEFECT}.`);
}

/** For errors that nobody has thought of. */
const DEFECT =
  "This may be a defect of lse: do it again with LSE_STACK=1 in the environment, and report what that prints";
