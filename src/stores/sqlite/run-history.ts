/** The run history as a SQLite file. Every call is one short transaction, and waits only briefly for other writers. */
import Database from 'better-sqlite3'
import {
  KEPT_RUNS,
  type RecordedEnd,
  type RunHistoryRow,
  type CurvePoint,
  type RunHistory,
} from '../../model/run/run-history.ts'

const BUSY_MS = 250

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, kind TEXT NOT NULL, command TEXT NOT NULL, source TEXT, target TEXT, about TEXT NOT NULL,
    begun_ms INTEGER NOT NULL, machine TEXT, host TEXT, pid INTEGER, process_started TEXT,
    ended_ms INTEGER, status TEXT, exit_code INTEGER, totals TEXT, resume TEXT, error TEXT, folder TEXT);
  CREATE INDEX IF NOT EXISTS runs_by_time ON runs (begun_ms);
  CREATE TABLE IF NOT EXISTS samples (
    run_id TEXT NOT NULL, at_ms INTEGER NOT NULL, done REAL NOT NULL, bytes REAL NOT NULL, lag REAL,
    PRIMARY KEY (run_id, at_ms)) WITHOUT ROWID;`

type StoredRun = {
  run_id: string
  kind: string
  command: string
  source: string | null
  target: string | null
  about: string
  begun_ms: number
  machine: string | null
  host: string | null
  pid: number | null
  process_started: string | null
  ended_ms: number | null
  status: string | null
  exit_code: number | null
  totals: string | null
  resume: string | null
  error: string | null
  folder: string | null
}

type StoredSample = { at_ms: number; done: number; bytes: number; lag: number | null }

/** @throws the driver's error */
export function sqliteRunHistory(file: string): RunHistory {
  const database = new Database(file, { timeout: BUSY_MS })
  try {
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = NORMAL')
    database.exec(SCHEMA)
    addFolder(database)
  } catch (error) {
    database.close()
    throw error
  }
  return {
    begin: ({ run, kind, commandLine, folder, source, target, about, begunAt, owner }) => {
      const { machine, host, pid, started } = owner
      database
        .prepare(
          `INSERT OR REPLACE INTO runs (run_id, kind, command, source, target, about, begun_ms, machine, host, pid, process_started, folder)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(run, kind, commandLine, source, target, about, begunAt, machine, host, pid, started, folder)
      database
        .prepare(
          'DELETE FROM runs WHERE begun_ms < (SELECT begun_ms FROM runs ORDER BY begun_ms DESC LIMIT 1 OFFSET ?)',
        )
        .run(KEPT_RUNS - 1)
      database.prepare('DELETE FROM samples WHERE run_id NOT IN (SELECT run_id FROM runs)').run()
    },
    sample: (run, { at, done, bytes, lag }) => {
      database
        .prepare('INSERT OR REPLACE INTO samples (run_id, at_ms, done, bytes, lag) VALUES (?, ?, ?, ?, ?)')
        .run(run, at, done, bytes, lag)
    },
    thinCurve: (run) => {
      database
        .prepare(
          `DELETE FROM samples WHERE run_id = @run AND at_ms IN
             (SELECT at_ms FROM (SELECT at_ms, row_number() OVER (ORDER BY at_ms) AS no FROM samples WHERE run_id = @run) WHERE no % 2 = 0)`,
        )
        .run({ run })
    },
    end: (run, { endedAt, status, exitCode, totals, resumeCommand, error }) => {
      database
        .prepare(
          'UPDATE runs SET ended_ms = ?, status = ?, exit_code = ?, totals = ?, resume = ?, error = ? WHERE run_id = ?',
        )
        .run(endedAt, status, exitCode, JSON.stringify(totals), resumeCommand, error, run)
    },
    forgetErrors: () => {
      database.pragma('secure_delete = ON')
      database.exec('UPDATE runs SET error = NULL WHERE error IS NOT NULL')
      database.pragma('wal_checkpoint(TRUNCATE)')
    },
    list: (limit) =>
      (database.prepare('SELECT * FROM runs ORDER BY begun_ms DESC LIMIT ?').all(limit) as StoredRun[]).map(rowOf),
    curve: (run) =>
      (
        database
          .prepare('SELECT at_ms, done, bytes, lag FROM samples WHERE run_id = ? ORDER BY at_ms')
          .all(run) as StoredSample[]
      ).map(({ at_ms: at, done, bytes, lag }): CurvePoint => ({ at, done, bytes, lag })),
    [Symbol.dispose]: () => void database.close(),
  }
}

/** Adds the column `folder` to a file of an older program. Another program may add it at the same time. */
function addFolder(database: Database.Database): void {
  const hasFolder = (): boolean =>
    database.prepare("SELECT 1 FROM pragma_table_info('runs') WHERE name = 'folder'").get() !== undefined
  if (hasFolder()) return
  try {
    database.exec('ALTER TABLE runs ADD COLUMN folder TEXT')
  } catch (error) {
    if (!hasFolder()) throw error
  }
}

function rowOf(row: StoredRun): RunHistoryRow {
  return {
    run: row.run_id,
    kind: row.kind,
    commandLine: row.command,
    folder: row.folder,
    source: row.source,
    target: row.target,
    about: row.about,
    begunAt: row.begun_ms,
    owner: { machine: row.machine, host: row.host, pid: row.pid, started: row.process_started },
    end: endOf(row),
  }
}

function endOf({
  ended_ms: endedAt,
  status,
  exit_code: exitCode,
  totals,
  resume,
  error,
}: StoredRun): RecordedEnd | null {
  if (endedAt === null || status === null) return null
  return {
    endedAt,
    status,
    exitCode: exitCode ?? 0,
    totals: JSON.parse(totals ?? '{}') as RecordedEnd['totals'],
    resumeCommand: resume,
    error,
  }
}
