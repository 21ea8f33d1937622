/**
 * `export-log`: writes the catalog's copy of a table as a `_delta_log`. Commits get their original bytes and times. If
 * the catalog does not begin at version 0, a checkpoint of its first version makes them readable. Before the log is
 * published, sluice's own reader reads it, and sampled versions are compared with the catalog.
 */
import { readableTable, type ReadableTable } from '../../../../catalog/catalog.ts'
import { ExportedCheckpointRows } from '../../../../catalog/export/checkpoint-rows.ts'
import { checkpointTime, storedCommits, type StoredCommit } from '../../../../catalog/export/commits.ts'
import { commitName, LAST_CHECKPOINT, versionDigits } from '../../../../delta/log-path.ts'
import { fileReadings, findAmbiguousFiles } from '../../../../delta/spellings.ts'
import { DeltaTable } from '../../../../delta/table.ts'
import { dec } from '../../../../model/run/event.ts'
import { throwIfAborted } from '../../../../shared/abort.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { SqlReader } from '../../../../model/run/sql-port.ts'
import { withCatalog } from '../../catalog-session.ts'
import { NewLog, asTargetError } from '../../import/new-log.ts'
import { warnUnreadable } from '../../unreadable.ts'
import { readBack } from '../../read-back/index.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import { checkpointWriter } from '../../../../stores/parquet.ts'
import { parquetRows } from '../../../run/registry.ts'
import { relocatedLog } from '../../read-back/relocated-log.ts'
import type { exportLog, ExportLogOperation } from './declaration.ts'
import { countText } from '../../../../shared/figures.ts'
import { firstOf } from '../../../../shared/first-of.ts'

type ExportLogRun = RunOf<typeof exportLog>

/** Maximum number of versions that a warning names. */
const MOST_NAMED = 10

export async function performExportLog(operation: ExportLogOperation, run: ExportLogRun): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const by = await tableKey(await resolveTable(operation.table, database))
    // Read everything in one snapshot of the catalog: imports may run meanwhile.
    return database.read(async (reader) => {
      const table = await readableTable(reader, by)
      await warnUnreadable(reader, table, operation.table, run)
      await using log = await NewLog.begin(operation.to)
      try {
        const based = await beginsWithCheckpoint(reader, table)
        const versions = checkpointsOf(operation, table, based)
        const commits = await writeCommits(log, reader, table, based, run)
        let rows = 0
        for (const version of versions) {
          // The catalog began with this checkpoint, so there are no commits that could contradict it.
          const isFirst = based && version === table.historyFrom
          if (!isFirst) await refuseOtherFiles(log.folder, table.location, version, run.interrupt.stop)
          rows += await writeCheckpoint(log, reader, table, version, run)
        }
        throwIfAborted(run.interrupt.stop)
        const exported = {
          folder: log.folder,
          table,
          checkpoints: versions,
          based,
          subject: operation.table,
          nowMs: run.clock.now(),
        }
        const { checks, differences, proof } = await readBack(exported, reader, run.emit, run.interrupt.stop)
        const totals = {
          ...commits,
          ...(versions.length === 0 ? {} : { checkpoints: dec(versions.length), checkpointRows: dec(rows) }),
          checks: dec(checks),
          differences: dec(differences),
        }
        if (differences > 0) return { totals, proof: 'none', error: exportDiffers(differences, table.location) }
        await log.publish()
        return { totals, proof, wrote: [log.target] }
      } catch (error) {
        throw asTargetError(error, log.target)
      }
    })
  })
}

/**
 * Commits may spell the path of one file in different ways; a checkpoint has only one spelling. Refuses a checkpoint
 * from which a reader would get other files than from the commits.
 * @param folder of a log that has no checkpoint of the version yet
 * @param root URI of the table whose log is exported
 * @throws SluiceError DIFFERENCES naming the first file, with both readings
 */
async function refuseOtherFiles(folder: string, root: string, version: number, signal: AbortSignal): Promise<void> {
  const store = await relocatedLog(folder, root)
  const table = await DeltaTable.open(store, parquetRows, signal)
  const { segment } = await table.snapshot({ version }, { signal, allowRefused: true })
  const apart = await findAmbiguousFiles({ store, parquet: parquetRows, segment }, signal)
  const [first] = apart
  if (first === undefined) return
  const files = apart.length === 1 ? 'one file' : `${apart.length} files`
  throw new SluiceError(
    'DIFFERENCES',
    `a checkpoint of version ${version} would change how other readers see ${files}`,
    {
      where: root,
      reason: fileReadings(first),
      hint: 'export with --checkpoint base, which leaves the newest commits as they are; sluice fsck TABLE names every such file',
    },
  )
}

/** True if the first version needs a checkpoint: always, except for a table whose commits begin at 0. */
async function beginsWithCheckpoint(reader: SqlReader, table: ReadableTable): Promise<boolean> {
  if (table.historyFrom > 0) return true
  const [row] = await reader.all('SELECT log_bytes FROM delta_commits WHERE table_id = ? AND version = 0', [
    table.tableId,
  ])
  return row?.[0] === null
}

/**
 * Versions that get a checkpoint, ascending.
 * @throws SluiceError BAD_FLAG if the log cannot be read without a checkpoint
 */
function checkpointsOf(
  { checkpoint = 'base' }: ExportLogOperation,
  table: ReadableTable,
  based: boolean,
): readonly number[] {
  if (checkpoint === 'none') {
    if (!based) return []
    throw new SluiceError('BAD_FLAG', '--checkpoint none would write a log that cannot be read', {
      reason: `the catalog begins at version ${table.historyFrom}, and only a checkpoint of that version covers the earlier versions`,
      hint: 'remove --checkpoint',
    })
  }
  const versions = based ? [table.historyFrom] : []
  if (checkpoint === 'latest' && !versions.includes(table.latest)) versions.push(table.latest)
  return versions
}

async function writeCommits(
  log: NewLog,
  reader: SqlReader,
  table: ReadableTable,
  based: boolean,
  run: ExportLogRun,
): Promise<Ending['totals']> {
  let commits = 0
  let bytes = 0
  let identical = 0
  const others: number[] = []
  for await (const commit of storedCommits(reader, table)) {
    throwIfAborted(run.interrupt.stop)
    const name = commitName(commit.version)
    const written = await log.writeCommit(name, commit)
    if (commit.numLines !== null && written.lines !== commit.numLines) {
      if (!based || commit.version !== table.historyFrom) throw missingLines(commit, written.lines)
      await log.remove(name)
      warn(
        run,
        `commit ${commit.version} is left out: the catalog holds ${written.lines} of its ${commit.numLines} lines; its checkpoint covers it`,
      )
      continue
    }
    commits++
    bytes += written.bytes
    if (written.identical) identical++
    else if (commit.digest !== null) others.push(commit.version)
  }
  if (others.length > 0) warn(run, changedBytesText(others))
  return { commits: dec(commits), bytes: dec(bytes), identical: dec(identical) }
}

/** Writes a checkpoint and `_last_checkpoint`. @returns the number of rows */
async function writeCheckpoint(
  log: NewLog,
  reader: SqlReader,
  table: ReadableTable,
  version: number,
  run: ExportLogRun,
): Promise<number> {
  const writer = await checkpointWriter()
  const name = `${versionDigits(version)}.checkpoint.parquet`
  const rows = new ExportedCheckpointRows(reader, table, version, run.clock.now())
  const written = await writer.write(`${log.folder}/${name}`, rows.pages(), run.interrupt.stop)
  await log.setTime(name, await checkpointTime(reader, table, version))
  const hint = { version, size: written.rows, sizeInBytes: written.bytes, numOfAddFiles: rows.adds }
  await log.replaceText(LAST_CHECKPOINT, `${JSON.stringify(hint)}\n`)
  if (rows.leftOut.size > 0) {
    const kinds = [...rows.leftOut].map(([kind, count]) => `${count} ${kind}`).join(', ')
    warn(run, `checkpoint ${version} has no column for these parts of the log: ${kinds}`)
  }
  return written.rows
}

function missingLines({ version, numLines }: StoredCommit, found: number): SluiceError {
  return new SluiceError(
    'TARGET_CORRUPT',
    `the catalog has ${found} of the ${String(numLines)} lines of commit ${version}`,
    {
      reason: 'rows of the catalog were removed or changed by hand',
      hint: 'run sluice validate TABLE to see what is wrong with the catalog; nothing was written',
    },
  )
}

/**
 * Warning for commits that differ from the original bytes: white space between lines was lost, or a catalog column from
 * which a line is rebuilt was changed. The digest does not show which.
 */
function changedBytesText(versions: readonly number[]): string {
  return `commit ${firstOf(versions, MOST_NAMED)} ${versions.length === 1 ? 'does' : 'do'} not have the bytes of the original: run sluice validate TABLE to compare its rows with the log`
}

function exportDiffers(differences: number, location: string): SluiceError {
  const places = countText(differences, 'place')
  return new SluiceError('DIFFERENCES', `no log was written: it would differ from the catalog in ${places}`, {
    where: location,
    reason: 'the raw log lines in the catalog and the rows made from them differ',
    hint: 'run sluice validate TABLE to see what is wrong with the catalog',
  })
}

function warn(run: ExportLogRun, message: string): void {
  run.emit({ type: 'log', level: 'warn', message })
}
