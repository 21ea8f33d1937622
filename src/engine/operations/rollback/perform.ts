/**
 * `verify-rollback` proves that the log alone still gives the table and says what would go; `rollback` proves the same and then removes the
 * table's rows in one transaction. Neither ever writes to the log.
 */
import { readHead, wholeness, type Head } from '../../../catalog/import/head.ts'
import { acquireLease, beatOfLease, leaseHolder, releaseLease, renewLease } from '../../../catalog/lease.ts'
import { countsAt } from '../../../catalog/query/counts.ts'
import { deleteTable, dependents, rowsOfTable, type RowCounts } from '../../../catalog/rollback.ts'
import { dialectOf } from '../../../catalog/dialect.ts'
import { DeltaTable } from '../../../delta/table.ts'
import type { LogStore } from '../../../model/log-store.ts'
import { dec } from '../../../model/event.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import { shellQuote } from '../../../shared/shell.ts'
import { literal } from '../../../shared/sql-text.ts'
import type { SqlDatabase } from '../../../stores/port.ts'
import { withCatalog, withWritableCatalog } from '../../catalog-session.ts'
import { holderOf } from '../../holder.ts'
import { hasEnded } from '../../../shared/owner.ts'
import { dataFilesPresent } from '../../lake/data-files.ts'
import type { CheckFiles } from '../../operation.ts'
import { openLake, parquetRows } from '../../registry.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../run-context.ts'
import type { VerifyRollbackOperation } from '../verify-rollback/declaration.ts'
import type { rollback as declared, RollbackOperation } from './declaration.ts'

/** Both look alike, and say the same. */
type RollbackRun = RunOf<typeof declared>

type Subject = { readonly head: Head; readonly log: LogStore; readonly broken: boolean }
/** The log was read in full, and only the counts differ: nothing would be lost if the catalog is what is wrong. */
const DISAGREES = 'the log gives another table than the catalog holds'

const FSCK = 'sizes, contents and deletion vectors were not looked at: sluice fsck TABLE looks at them'
/** What `--check-files` leaves out. */
const NOT_OPENED: Readonly<Record<CheckFiles, string>> = {
  none: 'data files and deletion vectors were not looked for: sluice fsck TABLE looks at them',
  sample: `names of a sample of data files were looked for; ${FSCK}`,
  all: `names of data files were looked for; ${FSCK}`,
}

type Verdict = { readonly problems: readonly string[]; readonly checks: number; readonly rows: RowCounts }

export async function verifyRollback(operation: VerifyRollbackOperation, run: RollbackRun): Promise<Ending> {
  return withCatalog(operation.catalog, async (database) => {
    const subject = await subjectOf(operation.table, database)
    const verdict = await verify(subject, database, operation.checkFiles, run)
    const { tableId } = subject.head
    const notChecked = NOT_OPENED[operation.checkFiles]
    if (verdict.problems.length > 0) return { totals: totalsOf(verdict), notChecked, error: notSafe(tableId, verdict) }
    const next = removalOf(run.commandLine, tableId)
    return { totals: totalsOf(verdict), proof: 'log re-read', notChecked, next }
  })
}

/** The same command as one that removes: another verb, no dry run. It names the same catalog without its password. */
function removalOf(commandLine: string, tableId: string): string {
  const [flags = '', ...words] = commandLine.split(/ -- (.*)$/s)
  const same = flags.replace(' verify-rollback', ' rollback').replaceAll(/ (?:--dry-run|-n|--confirm=\S+)(?= |$)/g, '')
  const behind = words[0] === undefined ? '' : ` -- ${words[0]}`
  return `${same} --confirm=${shellQuote(tableId)}${behind}`
}

export async function rollback(operation: RollbackOperation, run: RollbackRun): Promise<Ending> {
  const { head, log } = await withCatalog(operation.catalog, (database) => subjectOf(operation.table, database))
  const { tableId } = head
  if (operation.dryRun) {
    return verifyRollback({ ...operation, kind: 'verify-rollback' }, run)
  }
  if (operation.confirm !== operation.table && operation.confirm !== tableId) {
    throw new SluiceError('MISSING_CONFIRM', `rolling back ${tableId} needs its name typed`, {
      reason: operation.confirm === undefined ? 'no name was given' : `"${operation.confirm}" is not its name`,
      hint: `say --confirm=${shellQuote(tableId)}`,
    })
  }
  return withWritableCatalog(operation.catalog, run, log.label, async ({ database }) => {
    const lease = await acquireLease(database, tableId, holderOf(run))
    // Reading a long log again takes longer than a lease lasts.
    const renewal = beatOfLease(database, lease)
    try {
      const subject = await subjectOf(operation.table, database)
      const verdict = await verify(subject, database, operation.checkFiles, run, lease.id)
      if (verdict.problems.length > 0) return { totals: totalsOf(verdict), error: notSafe(tableId, verdict) }
      const now = await database.now()
      const removed = await database.write(
        async (transaction) => {
          await renewLease(transaction, lease, now)
          return deleteTable(transaction, tableId)
        },
        async (reader) => (await readHead(reader, { tableId })) === null,
      )
      run.emit({
        type: 'log',
        level: 'note',
        table: tableId,
        message: `removed from the catalog: ${listOf(removed)}`,
      })
      return { totals: totalsOf({ ...verdict, rows: removed }), proof: 'log re-read' }
    } finally {
      clearInterval(renewal)
      await releaseLease(database, lease)
    }
  })
}

async function subjectOf(table: string, database: SqlDatabase): Promise<Subject> {
  const ref = await resolveTable(table, database)
  const log = await openLake(ref.path)
  const head = await readHead(database, await tableKey(ref, log))
  if (head === null) {
    throw new SluiceError('NO_SUCH_TABLE', `${table} is not in the catalog`, {
      where: log.root,
      hint: 'there is nothing to roll back',
    })
  }
  return { head, log, broken: (await wholeness(database, head)) !== 'whole' }
}

async function verify(
  { head, log, broken }: Subject,
  database: SqlDatabase,
  checkFiles: CheckFiles,
  run: RollbackRun,
  ownLease?: string,
): Promise<Verdict> {
  const { emit, interrupt } = run
  const { tableId } = head
  const version = head.currentVersion
  const problems: string[] = []
  let checks = 0
  const check = (name: string, equal: boolean, logSays: string, catalogSays: string, problem: string): void => {
    checks++
    emit({
      type: 'verify.check',
      table: tableId,
      version: dec(version ?? 0),
      check: name,
      equal,
      log: logSays,
      catalog: catalogSays,
      witness: log.label,
    })
    if (!equal) problems.push(problem)
  }

  try {
    const table = await DeltaTable.open(log, parquetRows, interrupt.abort)
    const snapshot = await table.snapshot(version === null ? {} : { version }, { allowRefused: true })
    const counts = await snapshot.counts(interrupt.abort)
    const said = version === null ? null : await countsAt(database, tableId, version)
    const same = broken || said === null || (counts.files === said.files && counts.bytes === BigInt(said.bytes))
    check(
      'log re-read',
      same,
      `v${snapshot.version}: ${counts.files} files, ${counts.bytes} bytes`,
      said === null ? 'nothing whole' : `v${version}: ${said.files} files, ${said.bytes} bytes`,
      DISAGREES,
    )
    const { segment } = snapshot
    const parts = segment.checkpoint === null ? '' : `checkpoint ${segment.checkpoint.version} and `
    check('log reachable', true, `${parts}${segment.commits.length} commits, all read`, '', '')
    for (const note of table.notes) emit({ type: 'log', level: 'note', table: tableId, message: note })
    if (checkFiles !== 'none') {
      const paths = async function* (): AsyncGenerator<readonly string[]> {
        for await (const block of snapshot.files({ signal: interrupt.abort, fields: 'identity' }))
          yield block.map(({ add }) => add.path)
      }
      const found = await dataFilesPresent(log, paths(), checkFiles, interrupt.abort)
      const outside = found.outside > 0 ? `, ${found.outside} outside the table not looked at` : ''
      check(
        `data files (${checkFiles})`,
        found.missingTotal === 0,
        `${found.checked} looked for, ${found.missingTotal} missing${outside}`,
        '',
        `${found.missingTotal} data files are missing: ${found.missing.join(', ')}`,
      )
    }
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.kind === 'stopped' || error.kind === 'internal') throw thrown
    check(
      'log re-read',
      false,
      `${error.code}: ${error.message}`,
      version === null ? '' : `v${version}`,
      `the log cannot be read: ${error.message}`,
    )
  }

  const others = await dependents(database, dialectOf(database).dependents)
  check(
    'nobody depends on these rows',
    others.length === 0,
    '',
    others.join(', ') || 'none',
    `these refer to the catalog's rows: ${others.join(', ')}`,
  )
  const holder = await leaseHolder(database, tableId, await database.now())
  const busy = holder !== null && holder.id !== ownLease && !hasEnded(holder, run.owner)
  check(
    'no import runs',
    !busy,
    '',
    busy ? `${holder.command} (process ${holder.pid} on ${holder.host})` : 'none',
    'an import of this table is running',
  )

  const rows = await rowsOfTable(database, tableId)
  emit({
    type: 'log',
    level: 'note',
    table: tableId,
    message: `a rollback removes: ${listOf(rows)}; ${log.label}/_delta_log stays as it is`,
  })
  return { problems, checks, rows }
}

function listOf(rows: RowCounts): string {
  return rows.map(({ relation, rows: count }) => `${relation} ${count}`).join(', ') || 'nothing'
}

function totalsOf({ checks, problems, rows }: Verdict): Record<string, string> {
  const totals: Record<string, string> = { checks: dec(checks), problems: dec(problems.length) }
  for (const { relation, rows: count } of rows) totals[relation] = dec(count)
  return totals
}

const LOG_IS_WRONG = {
  reason: 'without the catalog the log alone would not give the table',
  hint: 'mend the log first; the catalog still holds every action, and `sluice export-log TABLE --to FOLDER` writes them out',
}

/** `validate` sends people here with a damaged catalog: they need a way out that does not lead through an equal count. */
function eitherIsWrong(tableId: string): { readonly reason: string; readonly hint: string } {
  const id = literal(tableId)
  const deletes = ['delta_files', 'migration_status'].map(
    (relation) => `DELETE FROM ${relation} WHERE table_id = ${id};`,
  )
  return {
    reason: 'one of the two is wrong: the log was changed, or the catalog is damaged',
    hint: `if the log is the right one, run ${deletes.join(' ')} in the catalog, then import again; if not, mend the log first`,
  }
}

function notSafe(tableId: string, { problems }: Verdict): SluiceError {
  return new SluiceError('NOT_SAFE', `rolling back ${tableId} is not safe: ${problems.join('; ')}`, {
    ...(problems.every((problem) => problem === DISAGREES) ? eitherIsWrong(tableId) : LOG_IS_WRONG),
  })
}
