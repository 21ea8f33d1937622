/** `partition decommission`: inspects a cutover's old table, makes it inactive, drops it after the grace period. */
import type { TableName } from '../../../model/copy/column-type.ts'
import { dec } from '../../../model/run/event.ts'
import type { DecommissionStepEvent } from '../../../model/partition/events.ts'
import { isoTime } from '../../../shared/clock.ts'
import { SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type {
  CutoverTables,
  DecommissionFinding,
  DecommissionStep,
  DecommissionStore,
} from '../../../model/partition/decommission-port.ts'
import { refuseOtherLedger } from '../../../engine/copy/ledger/other-ledgers.ts'
import { hasLedger, prepareLedger } from '../../../engine/copy/ledger/schema.ts'
import { openCopyStore, openExisting } from '../../../engine/copy/open-stores.ts'
import { identitiesIn } from '../../../engine/follow/cutover/document.ts'
import { storedDocument, type CutoverRow } from '../../../engine/follow/cutover/cutover-row.ts'
import {
  DecommissionLedger,
  lastDecommissionStep,
  type DecommissionDetail,
  type DecommissionRow,
} from '../../decommission/decommission-ledger.ts'
import { inspect, type InspectedOldTable, type InspectOptions } from '../../decommission/inspect-old-table.ts'
import { knownRows, lastArchive, lastCopyFinding } from '../../decommission/last-archive.ts'
import { knowsOldTable, switchOfOldTable } from '../../decommission/old-table-switch.ts'
import {
  otherOldTable,
  decommissionRefusal,
  commandThatDrops,
  endBeforeDrop,
  refuseUnconfirmed,
  refuseUndone,
} from '../../decommission/refusals.ts'
import type { Ending, RunOf } from '../../../engine/run/run-context.ts'
import type { partitionDecommission, PartitionDecommissionOperation } from './declaration.ts'

type DecommissionRun = RunOf<typeof partitionDecommission>

/** Context of all steps. @property name the old table, as in the ledger */
type RetirementContext = Pick<InspectOptions, 'row' | 'oldTable' | 'tables' | 'store' | 'steps'> & {
  readonly name: string
  readonly ledger: DecommissionLedger
}

/**
 * @throws SluiceError NO_SUCH_TABLE, AMBIGUOUS_TABLE, LEDGER_BUSY, SOURCE_GONE, UNSUPPORTED_URL, BAD_FLAG,
 * MISSING_CONFIRM, TARGET_BUSY, TARGET_DENIED, TABLE_REFUSED, PLAN_CHANGED, LEDGER_DAMAGED
 */
export async function performPartitionDecommission(
  operation: PartitionDecommissionOperation,
  run: DecommissionRun,
): Promise<Ending> {
  const { dryRun, undo, inactive } = operation
  if (undo && inactive) {
    throw new SluiceError('BAD_FLAG', '--undo and --inactive exclude each other', { hint: 'give one of them' })
  }
  await using store = await (dryRun ? openCopyStore(operation.from, { mode: 'read' }) : openExisting(operation.from))
  const decommission = decommissionOf(store)
  await using database = await store.ledger()
  if ((await hasLedger(database)) && !dryRun) await prepareLedger(database)
  const knows = knowsOldTable(operation.table)
  const what = `the cutover of ${operation.table} is`
  await refuseOtherLedger(store, database, what, knows, run.interrupt.abort, '--from')
  const row = await switchOfOldTable(database, operation.table, store.label)
  const ledger = new DecommissionLedger(database, row, run)
  const steps = await ledger.steps()
  if (lastDecommissionStep(steps)?.step === 'dropped') {
    report(row, 'dropped', 'found', run)
    return { totals: { steps: '0' } }
  }
  const { names, identities } = identitiesIn(await storedDocument(database, row.id))
  const tables: CutoverTables = {
    oldTable: { name: names.parked, identity: identities.parked },
    heir: { name: names.public, identity: identities.public },
  }
  const retired = { row, name: row.oldTable, oldTable: names.parked, tables, store: decommission, ledger, steps }
  if (undo) return await reactivate(retired, operation, run)
  return await doNextStep(retired, database, store, operation, run)
}

/** Inspects the table, and does the next step. */
async function doNextStep(
  retired: RetirementContext,
  database: LedgerDatabase,
  store: CopyStore,
  operation: PartitionDecommissionOperation,
  run: DecommissionRun,
): Promise<Ending> {
  const { row, name, ledger, steps } = retired
  const inspected = await inspect(
    { ...retired, database, copies: store, graceMs: operation.graceMs },
    run.interrupt.stop,
  )
  const { identity, use, isWanted, graceEndMs } = inspected
  const findings = [...inspected.findings, ...(await copyFindings(retired, inspected, operation, store, run))]
  for (const finding of findings) run.emit({ type: 'decommission.finding', table: name, ...finding })
  const refused = findings.filter(({ verdict }) => verdict === 'refused')
  const totals = { findings: dec(findings.length), refused: dec(refused.length) }
  // A login without rights on the table must not create the ledger's table, which it would own.
  if (!operation.dryRun && !refused.some(({ about }) => about === 'rights')) {
    await ledger.prepare()
    if (inspected.mustRecordUse)
      await ledger.note({ step: 'looked', identity, detail: { use, streamEnded: !isWanted } })
  }
  if (refused.length > 0) return { totals: { ...totals, steps: '0' }, error: decommissionRefusal(name, refused) }
  const standing = lastDecommissionStep(steps)
  const isInactive = standing?.step === 'inactive'
  if (isInactive && standing.identity !== identity) throw otherOldTable(name)
  const drops = isInactive && !operation.inactive && graceEndMs === null
  const copies = operation.archive === undefined ? 0 : 1
  if (operation.dryRun) {
    report(row, 'inactive', isInactive ? 'found' : 'planned', run)
    if (copies > 0) report(row, 'archived', 'planned', run)
    if (drops) report(row, 'dropped', 'planned', run)
    return { totals: { ...totals, steps: '0' } }
  }
  if (isInactive) {
    report(row, 'inactive', 'found', run)
    // Check the confirmation before the copy, which may take long.
    if (drops) refuseUnconfirmed(retired.oldTable, operation.confirm)
    const archived = await copyBeforeDrop(retired, identity, operation, store, run)
    if (drops) await drop(retired, { identity, archived }, operation, store, run)
    const ended = { ...totals, steps: dec(copies + (drops ? 1 : 0)) }
    return drops ? { totals: ended } : endBeforeDrop(ended, name, operation, graceEndMs)
  }
  await deactivate(retired, inspected, operation, run)
  await copyBeforeDrop(retired, identity, operation, store, run)
  return endBeforeDrop({ ...totals, steps: dec(copies + 1) }, name, operation, graceEndMs)
}

/** Finding about an earlier run's copy, if this run makes no new copy, and either drops the table or is a dry run. */
async function copyFindings(
  { steps, oldTable }: RetirementContext,
  { graceEndMs }: InspectedOldTable,
  { archive: to, dryRun, inactive }: PartitionDecommissionOperation,
  copies: CopyStore,
  run: DecommissionRun,
): Promise<readonly DecommissionFinding[]> {
  const before = lastCopyOf(steps)
  if (before === undefined || to !== undefined || lastDecommissionStep(steps)?.step !== 'inactive') return []
  if (!dryRun && (inactive || graceEndMs !== null)) return []
  return [await lastCopyFinding(before, { copies, oldTable }, run.interrupt.stop)]
}

function lastCopyOf(steps: readonly DecommissionRow[]): DecommissionDetail['archive'] {
  return steps.findLast(({ step }) => step === 'archived')?.detail.archive
}

async function deactivate(
  { row, store, ledger, oldTable, name }: RetirementContext,
  { identity, use, graceEndMs }: InspectedOldTable,
  operation: PartitionDecommissionOperation,
  run: DecommissionRun,
): Promise<void> {
  const step = stepOf({ oldTable, identity }, ledger.guard('active'), operation, run)
  const end = await store.deactivate(step, (grants) => [
    ledger.statement({ step: 'inactive', identity, detail: { grants, use } }),
  ])
  refuseUndone(end, name)
  report(row, 'inactive', 'done', run)
  run.emit({
    type: 'log',
    level: 'note',
    table: name,
    message: `only its owner may use it; ${commandThatDrops(name, operation)} drops it ${graceEndMs === null ? 'when it runs again' : `from ${isoTime(graceEndMs)} on`}, and --undo gives the rights back`,
  })
}

async function drop(
  { row, store, ledger, oldTable, tables, name }: RetirementContext,
  { identity, archived }: { readonly identity: string; readonly archived: DecommissionDetail['archive'] },
  operation: PartitionDecommissionOperation,
  copies: CopyStore,
  run: DecommissionRun,
): Promise<void> {
  const expect = archived === undefined ? null : await knownRows(copies, oldTable, archived, run.interrupt.stop)
  const step = stepOf({ oldTable, identity }, ledger.guard('inactive', operation.graceMs), operation, run)
  const { end, also } = await store.drop(step, tables.heir, expect, [
    ledger.statement({ step: 'dropped', identity, detail: {} }),
  ])
  refuseUndone(end, name)
  report(row, 'dropped', 'done', run)
  for (const message of also) run.emit({ type: 'log', level: 'note', table: name, message })
}

/** @returns digest of the last copy, by this run or an earlier one; absent if none was requested */
async function copyBeforeDrop(
  { row, ledger, oldTable, steps }: RetirementContext,
  identity: string,
  { from, archive: to }: PartitionDecommissionOperation,
  copies: CopyStore,
  run: DecommissionRun,
): Promise<DecommissionDetail['archive']> {
  if (to === undefined) return lastCopyOf(steps)
  const archived = await lastArchive({ from, to, oldTable, copies }, run)
  await ledger.note({ step: 'archived', identity, detail: { archive: archived } })
  report(row, 'archived', 'done', run)
  return archived
}

/** Grants the revoked rights again. Idempotent. */
async function reactivate(
  { row, store, ledger, steps, oldTable, name }: RetirementContext,
  operation: PartitionDecommissionOperation,
  run: DecommissionRun,
): Promise<Ending> {
  const standing = lastDecommissionStep(steps)
  if (standing?.step !== 'inactive') {
    report(row, 'active', 'found', run)
    return { totals: { steps: '0' } }
  }
  if (operation.dryRun) {
    report(row, 'active', 'planned', run)
    return { totals: { steps: '0' } }
  }
  const { identity, detail } = standing
  const step = stepOf({ oldTable, identity }, ledger.guard('inactive'), operation, run)
  const close = [ledger.statement({ step: 'active', identity, detail: {} })]
  const { end, missing } = await store.reactivate(step, detail.grants ?? '[]', close)
  refuseUndone(end, name)
  report(row, 'active', 'done', run)
  for (const right of missing) {
    const message = `${right} was not restored: the role or the column no longer exists`
    run.emit({ type: 'log', level: 'warn', table: name, message })
  }
  return { totals: { steps: '1' } }
}

function stepOf(
  { oldTable, identity }: { readonly oldTable: TableName; readonly identity: string },
  guard: DecommissionStep['guard'],
  { patienceMs, budgetMs }: PartitionDecommissionOperation,
  run: DecommissionRun,
): DecommissionStep {
  return {
    table: oldTable,
    identity,
    guard,
    lockTimeoutMs: patienceMs,
    retryLimitMs: budgetMs,
    signal: run.interrupt.stop,
  }
}

function report(
  { oldTable, publicTable }: CutoverRow,
  step: DecommissionStepEvent['step'],
  status: DecommissionStepEvent['status'],
  run: DecommissionRun,
): void {
  run.emit({ type: 'decommission.step', table: oldTable, public: publicTable, step, status })
}

function decommissionOf(store: CopyStore): DecommissionStore {
  const decommission = store.offers.decommission
  if (decommission !== undefined) return decommission
  throw new SluiceError('UNSUPPORTED_URL', `sluice cannot exchange tables of ${store.system} by a cutover`, {
    where: store.label,
    hint: 'name the PostgreSQL database of the cutover with --from',
  })
}
