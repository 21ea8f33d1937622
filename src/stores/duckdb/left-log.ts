/**
 * Changes that a killed program has left in the log of a file. DuckDB 1.5.5 replays them when it opens the file, and loses those of indexes that nobody
 * used in the meantime when it brings them into the file at its end: the next change of such a row fails for good (duckdb/duckdb#23645). A
 * CHECKPOINT of its own, before anything else, keeps them.
 */
import { existsSync } from 'node:fs'

export const KEEP_LEFT_LOG = 'CHECKPOINT'

/** Whether there is such a log. To be asked before the file is opened. */
export function hasLeftLog(file: string): boolean {
  return existsSync(`${file}.wal`)
}
