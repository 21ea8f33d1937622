/**
 * Rebuilds the commits of a log from the catalog: every line, in order and byte for byte. Lines come in pages, so that
 * memory does not grow with a commit; line numbers show where blank lines were.
 */
import { bytesOrNull, numberOrNull, textOrNull } from '../../stores/common/cells.ts'
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'
import { ADD_COLUMNS, addRecord, commitLine, utf8 } from './adds.ts'
import { keyedPages, mergeByLine, type AtLine } from './merge.ts'

export type ExportedLine = AtLine & { readonly raw: string }

export type StoredCommit = {
  readonly version: number
  /** Time of the exported file, ms since the epoch; null if unknown. */
  readonly modified: number | null
  /** Size and sha256 of the original file, or null if not stored. */
  readonly bytes: number | null
  readonly digest: Uint8Array | null
  /** Number of non-blank lines, counted by the import; null if not counted. */
  readonly numLines: number | null
  /** The lines in the order of the file; can be called again. */
  lines(): AsyncIterable<readonly ExportedLine[]>
}

export type ExportedTable = { readonly tableId: string; readonly historyFrom: number; readonly latest: number }

const ADDS = `SELECT ${ADD_COLUMNS} FROM delta_files
  WHERE table_id = ? AND added_version = ? AND from_checkpoint = 0 AND file_no < ? AND file_no > ? ORDER BY file_no LIMIT ?`
const ACTIONS =
  'SELECT line, raw FROM delta_actions WHERE table_id = ? AND version = ? AND source = 0 AND line > ? ORDER BY line LIMIT ?'
// Files of a version have lower numbers than files of later versions. Without bounds every commit would scan all files.
const COMMITS = `SELECT version, commit_info, commit_info_line, commit_time, in_commit_time, file_mtime, log_bytes, log_digest, num_lines, first_file_no,
    min(first_file_no) OVER (ORDER BY version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
  FROM delta_commits WHERE table_id = ? AND version > ? AND version <= ? ORDER BY version LIMIT 1000`
// A commit below the base is stored with all its lines. Rows without adds and without commitInfo were left by a killed
// sweep: they are not a commit.
export const ORPHANS = `SELECT DISTINCT version FROM delta_actions
  WHERE table_id = ? AND source = 0 AND version < ? AND kind IN ('add', 'commitInfo') ORDER BY version`

function commitOf([version, info, infoLine, time, inCommit, mtime, bytes, digest, numLines, first, next]: SqlRow) {
  return {
    version: Number(version),
    info: textOrNull(info),
    infoLine: numberOrNull(infoLine),
    time: numberOrNull(time),
    inCommit: Number(inCommit),
    mtime: numberOrNull(mtime),
    bytes: numberOrNull(bytes),
    digest: bytesOrNull(digest),
    numLines: numberOrNull(numLines),
    /** Number of the commit's first file, and of the first file of any later commit. */
    first: numberOrNull(first),
    next: numberOrNull(next),
  }
}

/** Commits in the catalog, ascending, including commits below `historyFrom` that the imported log still had. */
export async function* storedCommits(reader: SqlReader, table: ExportedTable): AsyncGenerator<StoredCommit> {
  const { tableId, historyFrom, latest } = table
  for (const [orphan] of await reader.all(ORPHANS, [tableId, historyFrom])) {
    const version = orphan as number
    const lines = (): AsyncIterable<readonly ExportedLine[]> => actionLines(reader, tableId, version)
    yield { version, modified: null, bytes: null, digest: null, numLines: null, lines }
  }
  for (let after = historyFrom - 1; ;) {
    const commits = await reader.all(COMMITS, [tableId, after, latest])
    if (commits.length === 0) return
    for (const commit of commits) {
      const { version, info, infoLine, time, inCommit, mtime, bytes, digest, numLines, first, next } = commitOf(commit)
      after = version
      // A base that exists only as a checkpoint has no commit.
      if (bytes === null) continue
      const own = info === null || infoLine === null ? [] : [{ line: infoLine, raw: info }]
      const lines = (): AsyncIterable<readonly ExportedLine[]> => {
        const others = mergeByLine(pageOf(own), actionLines(reader, tableId, version))
        return first === null ? others : mergeByLine(others, addLines(reader, tableId, version, first, next))
      }
      const modified = fileTime(version === historyFrom, time, inCommit, mtime)
      yield { version, modified, bytes, digest, numLines, lines }
    }
  }
}

/**
 * Time of the exported file of a version, ms. Commit times must increase, so commits that the catalog lacks may have
 * moved the time of the catalog's first version forward. Its file gets this time; files of other versions keep theirs.
 */
function fileTime(first: boolean, time: number | null, inCommit: number, modified: number | null): number | null {
  return first && inCommit === 0 ? time : modified
}

/** Time of the exported checkpoint file: readers use it as the time of the version if the commit is missing. */
export async function checkpointTime(
  reader: SqlReader,
  { tableId, historyFrom }: ExportedTable,
  version: number,
): Promise<number | null> {
  const [row] = await reader.all(
    'SELECT commit_time, in_commit_time, file_mtime FROM delta_commits WHERE table_id = ? AND version = ?',
    [tableId, version],
  )
  const [time, inCommit, modified] = (row ?? [null, 0, null]) as [number | null, number, number | null]
  return fileTime(version === historyFrom, time, inCommit, modified)
}

async function* pageOf<T>(page: readonly T[]): AsyncGenerator<readonly T[]> {
  if (page.length > 0) yield page
}

async function* actionLines(
  reader: SqlReader,
  tableId: string,
  version: number,
): AsyncGenerator<readonly ExportedLine[]> {
  for await (const page of keyedPages(reader, ACTIONS, [tableId, version])) {
    yield page.map(([line, raw]) => ({ line: line as number, raw: utf8(raw as Uint8Array) }))
  }
}

async function* addLines(
  reader: SqlReader,
  tableId: string,
  version: number,
  first: number,
  next: number | null,
): AsyncGenerator<readonly ExportedLine[]> {
  const bounds = [tableId, version, next ?? Number.MAX_SAFE_INTEGER]
  for await (const page of keyedPages(reader, ADDS, bounds, first - 1)) {
    yield page.map((row) => {
      const add = addRecord(row)
      return { line: add.line, raw: commitLine(add) }
    })
  }
}
