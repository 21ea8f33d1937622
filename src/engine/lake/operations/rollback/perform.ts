/**
 * `verify-rollback` checks that the log alone still has the whole table, and reports what would be removed. `rollback`
 * checks the same, then removes the table's rows in one transaction. Neither writes to the log.
 */
import {
  readImportHead,
  importCompleteness,
  type ImportHead,
  type CatalogTableKey,
  type ImportCompleteness,
} from '../../../../catalog/import/head.ts'
import { filesOfCatalog, filesOfLog } from '../../../../catalog/import/same-files.ts'
import { acquireLease, keepLeaseAlive, leaseHolder, releaseLease, renewLease } from '../../../../catalog/lease.ts'
import { deleteTable, dependents, rowsOfTable, type RelationRowCounts } from '../../../../catalog/rollback.ts'
import { dialectOf } from '../../../../catalog/dialect.ts'
import { forgetCommand } from '../../../../catalog/location-hints.ts'
import { DeltaTable } from '../../../../delta/table.ts'
import type { LogStore } from '../../../../model/lake/log-store.ts'
import { dec } from '../../../../model/run/event.ts'
import { asSluiceError, SluiceError } from '../../../../shared/errors.ts'
import { shellQuote } from '../../../../shared/shell.ts'
import type { SqlDatabase } from '../../../../model/run/sql-port.ts'
import { retryWhileLocked, withCatalog, withWritableCatalog, type WritableCatalog } from '../../catalog-session.ts'
import { runLeaseHolder } from '../../../run/holder.ts'
import { hasEnded } from '../../../../shared/owner.ts'
import { dataFilesPresent } from '../../data-files.ts'
import type { CheckFiles, rollback, RollbackOperation } from './declaration.ts'
import { openLake, parquetRows } from '../../../run/registry.ts'
import { resolveTable, tableKey } from '../../resolve.ts'
import type { Ending, RunOf } from '../../../run/run-context.ts'
import type { VerifyRollbackOperation } from '../verify-rollback/declaration.ts'
import { FILES_DIFFER, logOnlyCheck, identityChecks, type IdentityCheck } from './identity-checks.ts'

/** The two operations share their events. */
type RollbackRun = RunOf<typeof rollback>

type Subject = { readonly head: ImportHead; readonly log: LogStore; readonly state: ImportCompleteness }
const FSCK = 'sizes, contents and deletion vectors were not checked: sluice fsck TABLE checks them'
/** What each `--check-files` mode does not check. */
const NOT_OPENED: Readonly<Record<CheckFiles, string>> = {
  none: 'data files and deletion vectors were not checked: sluice fsck TABLE checks them',
  sample: `names of a sample of data files were checked; ${FSCK}`,
  all: `names of data files were checked; ${FSCK}`,
}

type Verdict = {
  /** Problems: data of the catalog that the log lacks. `--forget` accepts the loss of this data. */
  readonly lost: readonly string[]
  /** Reasons why the rows cannot be removed now. */
  readonly inUse: readonly string[]
  readonly checks: number
  readonly rows: RelationRowCounts
}

/** True if a removal must be refused. */
const isRefused = ({ lost, inUse }: Verdict, forget: boolean): boolean =>
  inUse.length > 0 || (lost.length > 0 && !forget)

export async function performVerifyRollback(operation: VerifyRollbackOperation, run: RollbackRun): Promise<Ending> {
  return wouldRemove(operation, run, false)
}

/** @param forget true: data that the log lacks may be lost */
async function wouldRemove(
  { catalog, table, checkFiles }: VerifyRollbackOperation | RollbackOperation,
  run: RollbackRun,
  forget: boolean,
): Promise<Ending> {
  return withCatalog(catalog, async (database) => {
    const subject = await subjectOf(table, database)
    const verdict = await verify(subject, database, checkFiles, run)
    const { tableId } = subject.head
    const about = { totals: totalsOf(verdict), notChecked: NOT_OPENED[checkFiles] }
    if (isRefused(verdict, forget)) return { ...about, error: removalRefused(subject, verdict) }
    reportLost(subject, verdict, run)
    return { ...about, proof: proofOf(verdict), next: removalOf(run.commandLine, tableId) }
  })
}

const proofOf = ({ lost }: Verdict): string => (lost.length === 0 ? 'log re-read' : 'none')

function reportLost({ head: { tableId } }: Subject, { lost }: Verdict, { emit }: RollbackRun): void {
  if (lost.length === 0) return
  const message = `removing ${tableId} may lose data: ${lost.join('; ')}`
  emit({ type: 'log', level: 'warn', table: tableId, message })
}

/** The command line of the removal: `rollback` with --confirm, and no --dry-run. Its catalog URL has no password. */
function removalOf(commandLine: string, tableId: string): string {
  const [flags = '', ...words] = commandLine.split(/ -- (.*)$/s)
  const same = flags.replace(' verify-rollback', ' rollback').replaceAll(/ (?:--dry-run|-n|--confirm=\S+)(?= |$)/g, '')
  const behind = words[0] === undefined ? '' : ` -- ${words[0]}`
  return `${same} --confirm=${shellQuote(tableId)}${behind}`
}

export async function performRollback(operation: RollbackOperation, run: RollbackRun): Promise<Ending> {
  const patient = retryWhileLocked(run, operation.waitMs ?? 0)
  const { head, log } = await patient(() =>
    withCatalog(operation.catalog, (database) => subjectOf(operation.table, database)),
  )
  const { tableId } = head
  const forget = operation.forget === true
  if (operation.dryRun) return patient(() => wouldRemove(operation, run, forget))
  if (operation.confirm !== operation.table && operation.confirm !== tableId) {
    throw new SluiceError(
      'MISSING_CONFIRM',
      `rollback removes ${tableId} from the catalog: confirm with the name of the table`,
      {
        reason: operation.confirm === undefined ? 'no name was given' : `"${operation.confirm}" is not its name`,
        hint: `add --confirm=${shellQuote(tableId)}`,
      },
    )
  }
  const body = async ({ database }: WritableCatalog): Promise<Ending> => {
    const lease = await acquireLease(database, tableId, runLeaseHolder(run))
    // Renew the lease: reading a long log again takes longer than a lease lasts.
    const renewal = keepLeaseAlive(database, lease)
    try {
      // Verify exactly the confirmed table: the typed name may resolve to another table by now.
      const subject = await subjectAt(operation.table, log, { tableId }, database)
      const verdict = await verify(subject, database, operation.checkFiles, run, lease.id)
      if (isRefused(verdict, forget)) return { totals: totalsOf(verdict), error: removalRefused(subject, verdict) }
      reportLost(subject, verdict, run)
      const now = await database.now()
      const removed = await database.write(
        async (transaction) => {
          await renewLease(transaction, lease, now)
          return deleteTable(transaction, tableId)
        },
        async (reader) => (await readImportHead(reader, { tableId })) === null,
      )
      run.emit({ type: 'log', level: 'note', table: tableId, message: `removed from the catalog: ${listOf(removed)}` })
      return { totals: totalsOf({ ...verdict, rows: removed }), proof: proofOf(verdict) }
    } finally {
      clearInterval(renewal)
      await releaseLease(database, lease)
    }
  }
  return withWritableCatalog(operation.catalog, run, log.label, body, patient)
}

async function subjectOf(table: string, database: SqlDatabase): Promise<Subject> {
  const ref = await resolveTable(table, database)
  const log = await openLake(ref.path)
  return subjectAt(table, log, await tableKey(ref, log), database)
}

/** @param log of the table that the key names */
async function subjectAt(table: string, log: LogStore, key: CatalogTableKey, database: SqlDatabase): Promise<Subject> {
  const head = await readImportHead(database, key)
  if (head === null) {
    throw new SluiceError('NO_SUCH_TABLE', `${table} is not in the catalog`, {
      where: log.root,
      hint: 'there is nothing to roll back',
    })
  }
  return { head, log, state: await importCompleteness(database, head) }
}

async function verify(
  subject: Subject,
  database: SqlDatabase,
  checkFiles: CheckFiles,
  run: RollbackRun,
  ownLease?: string,
): Promise<Verdict> {
  const { tableId } = subject.head
  const { label } = subject.log
  const checks = new Checks(subject, run)
  await checkLog(subject, { database, checkFiles, checks, run })
  await checkUse(tableId, { database, checks, run }, ownLease)
  const rows = await rowsOfTable(database, tableId)
  const message = `a rollback removes: ${listOf(rows)}; ${label}/_delta_log is not changed`
  run.emit({ type: 'log', level: 'note', table: tableId, message })
  return { lost: checks.lost, inUse: checks.inUse, checks: checks.count, rows }
}

/** Collects checks; each is emitted immediately. */
class Checks {
  readonly lost: string[] = []
  readonly inUse: string[] = []
  readonly #subject: Subject
  readonly #run: RollbackRun
  count = 0

  constructor(subject: Subject, run: RollbackRun) {
    this.#subject = subject
    this.#run = run
  }

  add({ problem, name, ...said }: IdentityCheck, problems = this.lost): void {
    const { head, log } = this.#subject
    const version = dec(head.currentVersion ?? 0)
    this.count++
    this.#run.emit({ type: 'verify.check', table: head.tableId, version, check: name, ...said, witness: log.label })
    if (!said.equal) problems.push(problem)
  }
}

type CheckContext = { readonly database: SqlDatabase; readonly checks: Checks; readonly run: RollbackRun }

/** Reads the log again and compares it with the catalog. */
async function checkLog(
  { head, log, state }: Subject,
  { database, checkFiles, checks, run }: CheckContext & { readonly checkFiles: CheckFiles },
): Promise<void> {
  const { abort } = run.interrupt
  const { tableId, currentVersion: version } = head
  // A table whose import is incomplete, or whose rows were removed by hand, is not readable, so no data can be lost.
  const held = state === 'whole' ? versionsOf(head) : null
  try {
    const table = await DeltaTable.open(log, parquetRows, abort)
    const { from } = await table.readableHistory(abort)
    const alone = onlyIn(held, { from, to: table.latest })
    checks.add({
      name: 'every version',
      equal: alone === '',
      log: `v${from} to v${table.latest}`,
      catalog: held === null ? 'no complete version' : `v${held.from} to v${held.to}`,
      problem: alone,
    })
    const snapshot = await table.snapshot(version === null ? {} : { version }, { allowRefused: true })
    const isHeld = held !== null && version !== null
    const said = isHeld
      ? await identityChecks({ head, version, database, log, table, snapshot }, abort)
      : [await logOnlyCheck(snapshot, abort)]
    for (const one of said) checks.add(one)
    const { checkpoint, commits } = snapshot.segment
    const parts = checkpoint === null ? '' : `checkpoint ${checkpoint.version} and `
    const read = `${parts}${commits.length} commits, all read`
    checks.add({ name: 'log reachable', equal: true, log: read, catalog: '', problem: '' })
    for (const message of table.notes) run.emit({ type: 'log', level: 'note', table: tableId, message })
    if (checkFiles === 'none') return
    const files = isHeld ? filesOfCatalog(database, tableId, version, log.root) : filesOfLog(snapshot, abort)
    checks.add(await dataFiles(log, files, checkFiles, abort))
  } catch (thrown) {
    const { kind, code, message } = asSluiceError(thrown)
    if (kind === 'stopped' || kind === 'internal') throw thrown
    checks.add({
      name: 'log re-read',
      equal: false,
      log: `${code}: ${message}`,
      catalog: version === null ? '' : `v${version}`,
      problem: `the log cannot be read: ${message}`,
    })
    if (checks.lost.length === 1 && held !== null) checks.lost.push(aloneText(held))
  }
}

async function dataFiles(
  log: LogStore,
  files: ReturnType<typeof filesOfLog>,
  checkFiles: Exclude<CheckFiles, 'none'>,
  signal: AbortSignal,
): Promise<IdentityCheck> {
  const paths = async function* (): AsyncGenerator<readonly string[]> {
    for await (const block of files()) yield block.map(({ raw }) => raw)
  }
  const { checked, missing, missingTotal, outside } = await dataFilesPresent(log, paths(), checkFiles, signal)
  const more = outside > 0 ? `, ${outside} outside the table not checked` : ''
  return {
    name: `data files (${checkFiles})`,
    equal: missingTotal === 0,
    log: `${checked} checked, ${missingTotal} missing${more}`,
    catalog: '',
    problem: `${missingTotal} data files are missing: ${missing.join(', ')}`,
  }
}

/** Checks that the rows are not in use. @param ownLease lease of the run that removes them */
async function checkUse(tableId: string, { database, checks, run }: CheckContext, ownLease?: string): Promise<void> {
  const others = (await dependents(database, dialectOf(database).dependents)).join(', ')
  checks.add(
    {
      name: 'no program depends on these rows',
      equal: others === '',
      log: '',
      catalog: others || 'none',
      problem: `these refer to the catalog's rows: ${others}`,
    },
    checks.inUse,
  )
  const holder = await leaseHolder(database, tableId, await database.now())
  const busy = holder !== null && holder.id !== ownLease && !hasEnded(holder, run.owner)
  checks.add(
    {
      name: 'no import runs',
      equal: !busy,
      log: '',
      catalog: busy ? `${holder.command} (process ${holder.pid} on ${holder.host})` : 'none',
      problem: 'an import of this table is running',
    },
    checks.inUse,
  )
}

type Versions = { readonly from: number; readonly to: number }

function versionsOf({ historyFrom, currentVersion }: ImportHead): Versions | null {
  return historyFrom === null || currentVersion === null ? null : { from: historyFrom, to: currentVersion }
}

/** Versions that only the catalog has, as text; '' if none. */
function onlyIn(held: Versions | null, log: Versions): string {
  if (held === null) return ''
  const below = { from: held.from, to: Math.min(held.to, log.from - 1) }
  const above = { from: Math.max(held.from, log.to + 1), to: held.to }
  return [below, above]
    .filter(({ from, to }) => from <= to)
    .map(aloneText)
    .join('; ')
}

function aloneText({ from, to }: Versions): string {
  return from === to ? `only the catalog has version ${from}` : `only the catalog has versions ${from} to ${to}`
}

function listOf(rows: RelationRowCounts): string {
  return rows.map(({ relation, rows: count }) => `${relation} ${count}`).join(', ') || 'nothing'
}

function totalsOf({ checks, lost, inUse, rows }: Verdict): Record<string, string> {
  const totals: Record<string, string> = { checks: dec(checks), problems: dec(lost.length + inUse.length) }
  for (const { relation, rows: count } of rows) totals[relation] = dec(count)
  return totals
}

/** Error of a refused removal, with advice. `validate` refers users of a damaged catalog to this check. */
function removalRefused({ head: { tableId }, state }: Subject, { lost, inUse }: Verdict): SluiceError {
  const message = `rolling back ${tableId} is not safe: ${[...lost, ...inUse].join('; ')}`
  if (inUse.length > 0) {
    return new SluiceError('NOT_SAFE', message, {
      reason: 'the rows of the table are in use',
      hint: 'if other objects refer to the rows, drop these objects; if an import is running, wait until it ends; then run the same command again',
    })
  }
  const anyway = forgetCommand(tableId)
  if (state !== 'whole') {
    return new SluiceError('NOT_SAFE', message, {
      reason: 'the table in the catalog is incomplete, and the whole table cannot be read from the log',
      hint: `restore the log and import again; if the log is lost, remove what was imported: ${anyway}`,
    })
  }
  if (lost.every((problem) => problem.startsWith(FILES_DIFFER))) {
    return new SluiceError('NOT_SAFE', message, {
      reason: 'one of the two is wrong: the log was changed, or the catalog is damaged',
      hint: `if the log is right, run ${anyway}, then import again; if the catalog is right, repair the log first`,
    })
  }
  return new SluiceError('NOT_SAFE', message, {
    reason: 'the log alone does not contain the whole table',
    hint: `to keep it, run sluice export-log ${shellQuote(tableId)} --to FOLDER; to remove it: ${anyway}`,
  })
}
