/** Opens DuckDB files so that nothing in them, and nothing asked of them, can reach another file or the network. */
import { resolve } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** An opened file, to be closed. */
export interface DuckDbFile extends Disposable {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
}

/**
 * @param access "AUTOMATIC" also creates and changes the file
 * @param prepare runs statements before the settings are locked
 * @throws Error with DuckDB's message
 */
export async function openDuckDb(
  path: string,
  { access, memoryMb }: { readonly access: "READ_ONLY" | "AUTOMATIC"; readonly memoryMb: number },
  prepare: (connection: DuckDBConnection) => Promise<void> = async () => {},
): Promise<DuckDbFile> {
  // One thread: sums of floating-point numbers and rows that tie come out the same each time.
  // A relative path that begins like "md:" would be the address of a service.
  const instance = await DuckDBInstance.create(resolve(path), {
    access_mode: access,
    threads: "1",
    memory_limit: `${Math.floor(memoryMb)}MB`,
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  const connection = await instance.connect();
  const file: DuckDbFile = {
    instance,
    connection,
    [Symbol.dispose]: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
  try {
    // Nothing is written to disk when memory runs out.
    await connection.run("SET max_temp_directory_size = '0B'");
    await prepare(connection);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
  return file;
}
