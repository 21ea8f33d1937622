/**
 * The commits of a log, rebuilt from the catalog: every line, in order and byte for byte. Lines come in pages, so that no commit is too
 * large; each has its number, which tells where blank lines were.
 */
import { bytesOrNull, numberOrNull, textOrNull } from '../../stores/common/cells.ts'
import type { SqlReader, SqlRow } from '../../model/run/sql-port.ts'
import { ADD_COLUMNS, addRecord, commitLine, utf8 } from './adds.ts'
import { keyedPages, mergeByLine, type AtLine } from './merge.ts'

export type ExportedLine = AtLine & { readonly raw: string }

export type HeldCommit = {
  readonly version: number
  /** ms since the epoch, for the file's own time. */
  readonly modified: number | null
  /** Size and sha256 of the file it was read from, or null where they are not held. */
  readonly bytes: number | null
  readonly digest: Uint8Array | null
  /** Lines that are no blank ones, as they were counted when it was read; null where they were not. */
  readonly numLines: number | null
  /** In the order of the file; may be asked for again. */
  lines(): AsyncIterable<readonly ExportedLine[]>
}

export type ExportedTable = { readonly tableId: string; readonly historyFrom: number; readonly latest: number }

const ADDS = `SELECT ${ADD_COLUMNS} FROM delta_files
  WHERE table_id = ? AND added_version = ? AND from_checkpoint = 0 AND file_no < ? AND file_no > ? ORDER BY file_no LIMIT ?`
const ACTIONS =
  'SELECT line, raw FROM delta_actions WHERE table_id = ? AND version = ? AND source = 0 AND line > ? ORDER BY line LIMIT ?'
// Files of a version are numbered before those of later ones: without these bounds every commit would look through all files.
const COMMITS = `SELECT version, commit_info, commit_info_line, commit_time, in_commit_time, file_mtime, log_bytes, log_digest, num_lines, first_file_no,
    min(first_file_no) OVER (ORDER BY version ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
  FROM delta_commits WHERE table_id = ? AND version > ? AND version <= ? ORDER BY version LIMIT 1000`
// A commit below the base was kept with all its lines. What a killed sweep leaves of a commit has neither adds nor its commitInfo, and must not pass for one.
const ORPHANS = `SELECT DISTINCT version FROM delta_actions
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
    /** Number of its first file, and that of the first file of any commit behind it. */
    first: numberOrNull(first),
    next: numberOrNull(next),
  }
}

/** Commits the catalog holds, ascending; those below `historyFrom` are the log's own leftovers. */
export async function* heldCommits(reader: SqlReader, table: ExportedTable): AsyncGenerator<HeldCommit> {
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
      // A base that stands in a checkpoint alone has no commit of its own.
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
 * The time that the file of a version gets, ms. Times of commits grow from version to version; what that added to the first one, when there
 * were others before it, must be in its file, for nothing else tells of it.
 */
function fileTime(first: boolean, time: number | null, inCommit: number, modified: number | null): number | null {
  return first && inCommit === 0 ? time : modified
}

/** The time that the file of a checkpoint gets: where it stands without its commit, it tells when the version was made. */
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
