/** Requirements of a cutover that can be checked before the stream continues. */
import { tableText, type TableName } from '../../../model/copy/column-type.ts'
import { isoTime } from '../../../shared/clock.ts'
import { asSluiceError, SluiceError, type ErrorCode } from '../../../shared/errors.ts'
import { givenFields } from '../../../shared/given-fields.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import type { LedgerDatabase } from '../../../model/run/ledger-port.ts'
import type { ChangeSource, FollowedTable } from '../../../model/follow/port.ts'
import type { SwitchFinding, SwitchRequest } from '../../../model/follow/switch-port.ts'
import type { CutoverRun } from '../operations/cutover/declaration.ts'
import type { TableKey } from '../../copy/ledger/owner.ts'
import { quarantinedCount } from '../../copy/ledger/quarantine.ts'
import { targetTableNow } from '../../copy/plan/plan-copy.ts'
import { planFollowed } from '../../copy/plan/plan-followed.ts'
import { inspectSides, streamSides } from '../stream/preflight.ts'
import type { FollowTable } from '../stream/followed-table.ts'
import { SignOffLedger, type SignOffVerdictRow } from '../ledger/sign-offs.ts'
import { followingCopy } from '../stream/planned-tables.ts'
import { streamTableNames } from '../stream/requested-stream.ts'
import type { CopyOperation } from '../../copy/operations/copy/declaration.ts'
import { findingsCheck, type CutoverCheck, type CutoverChecks } from './cutover-checks.ts'
import { inspectReverse, renamed } from './reverse-stream.ts'
import { oldTableName, reverseCopy } from './reverse-copy.ts'
import type { StoreCapabilities, OpenedFamily } from './open-family.ts'

/** A cutover for which all these requirements are met. */
export type CutoverReady = {
  readonly request: SwitchRequest
  readonly key: TableKey
  readonly identity: readonly string[]
  /** The copy operation before the cutover (`copy`), and after it (`reverse`). */
  readonly copy: CopyOperation
  readonly reverse: CopyOperation
  /** The table that gets the public name: `taken` under its present name, `source` under the public name. */
  readonly taken: FollowedTable
  readonly source: FollowedTable
  readonly oldTable: TableName
  /** Identities of both tables, independent of their names. */
  readonly identities: { readonly taken: string; readonly from: string }
  readonly findings: readonly SwitchFinding[]
  /** Id of the sign-off that the cutover relies on; null without one. */
  readonly signOff: string | null
}

export type ReadyOptions = {
  readonly parked?: string
  readonly unsigned: boolean
  readonly revert: boolean
}

/** Error code of a refused check. */
export type ReadinessRefusal = { readonly code: ErrorCode; readonly check: CutoverCheck }

/** @param copy operation of the ending stream @throws SluiceError for the first refused check; all are reported */
export async function checkReadiness(
  opened: OpenedFamily,
  { switches, changes }: StoreCapabilities,
  copy: CopyOperation,
  options: ReadyOptions,
  checks: CutoverChecks,
  run: CutoverRun,
): Promise<CutoverReady> {
  const { store, stream, family } = opened
  const { refusals, set } = collecting(checks)
  const table = await tableOf({ from: store, to: store }, opened, copy, run)
  checks.table = tableText(table.source.table.table)
  for (const { code, check } of await streamChecks(opened, changes)) set(code, check)
  const [from, to] = [table.source.table.table, table.target.table.table]
  const last = family.turns.at(-1)
  const oldTable = options.parked ?? oldTableName(from, last?.takenTable ?? null)
  const oldTableAt: TableName = { ...(from.schema === undefined ? {} : { schema: from.schema }), name: oldTable }
  if ((await targetTableNow(oldTableAt, store, run.interrupt.abort)) !== null) {
    set('NOT_SWITCHABLE', {
      name: 'name',
      state: 'refused',
      detail: `${tableText(oldTableAt)} already exists, but ${tableText(from)} would get this name`,
      hint: 'give the old table another name with --parked',
    })
  }
  const request: SwitchRequest = { from, to, oldTable }
  const findings = await switches.inspect(request, run.interrupt.abort)
  set('NOT_SWITCHABLE', reportedFindings(findings, run))
  set('ROWS_ASIDE', await quarantineCheck(opened.database, table.key))
  const signed = await signOffCheck(opened.database, stream.id, table.key, options)
  set('NOT_SIGNED', signed.gate)
  const reverse = reverseCopy(copy, from, oldTableAt)
  const taken = await reverseCheck(reverseCopy(copy, to, from), { from: store, to: store }, to, run, set)
  if (refusals.length > 0 || taken === null) throw readinessRefusal(refusals)
  return {
    request,
    key: table.key,
    identity: table.source.identity,
    copy,
    reverse,
    taken,
    source: renamed(taken, from),
    oldTable: oldTableAt,
    identities: { taken: table.plan.target.identity, from: table.plan.source.identity },
    findings,
    signOff: signed.id,
  }
}

/** Sets a check; if it is refused, `code` is its error code. */
type SetCheck = (code: ErrorCode, check: CutoverCheck) => void

/** @returns a function that sets checks, and the refused ones in that order */
export function collecting(checks: CutoverChecks): { readonly refusals: ReadinessRefusal[]; readonly set: SetCheck } {
  const refusals: ReadinessRefusal[] = []
  const set: SetCheck = (code, check) => {
    checks.set(check)
    if (check.state === 'refused') refusals.push({ code, check })
  }
  return { refusals, set }
}

/** Emits the findings. @returns their check */
export function reportedFindings(findings: readonly SwitchFinding[], run: CutoverRun): CutoverCheck {
  for (const { verdict, about, object, detail, hint } of findings)
    run.emit({ type: 'cutover.finding', verdict, about, ...givenFields({ object }), detail, ...givenFields({ hint }) })
  return findingsCheck(findings)
}

/**
 * Checks whether the reverse stream can be created, which happens before the cutover.
 * @param copy operation of the reverse stream @param to its source @param note text after that of a possible one
 * @returns its source table; null if it is refused @throws errors that do not refuse it
 */
export async function reverseCheck(
  copy: CopyOperation,
  stores: { readonly from: CopyStore; readonly to: CopyStore },
  to: TableName,
  run: CutoverRun,
  set: SetCheck,
  note = '',
): Promise<FollowedTable | null> {
  const name = 'reverse stream'
  try {
    const taken = await inspectReverse(copy, stores, to, run)
    const detail = `the reverse stream is possible; it is created before the cutover${note}`
    set('NOT_SWITCHABLE', { name, state: 'waiting', detail })
    return taken
  } catch (thrown) {
    const { kind, code, message, hint } = asSluiceError(thrown)
    if (kind !== 'unsupported' && kind !== 'usage') throw thrown
    set(code, { name, state: 'refused', detail: message, ...givenFields({ hint }) })
    return null
  }
}

/** Checks that no program owns the stream, and that its table is live. Texts name the table as the ledger does. */
export async function streamChecks(
  { stream, streams }: Pick<OpenedFamily, 'stream' | 'streams'>,
  changes: ChangeSource,
): Promise<readonly ReadinessRefusal[]> {
  const holder = await streams.lease.currentOwner(stream.id)
  const [stored] = await streams.tables(stream.id, changes)
  const state = stored?.state ?? 'copying'
  const name = stored === undefined ? 'the table' : tableText(stored.key)
  return [
    {
      code: 'LEDGER_BUSY',
      check: {
        name: 'stream',
        ...(holder === null
          ? { state: 'ok', detail: `no other program runs stream ${stream.id}` }
          : {
              state: 'refused',
              detail: `process ${holder.pid ?? '?'} on ${holder.host ?? 'another machine'} runs stream ${stream.id}`,
              hint: 'sluice ctl lists the runs of that machine; end it with ctrl-c, or with sluice ctl RUN stop',
            }),
      },
    },
    {
      code: 'STREAM_HALTED',
      check: {
        name: 'table',
        state: state === 'live' ? 'ok' : state === 'catchup' ? 'waiting' : 'refused',
        detail:
          state === 'live' ? `${name} is live` : `${name} is ${state === 'catchup' ? 'catching up' : 'still copied'}`,
        ...(state === 'copying' || state === 'resync'
          ? { hint: `run sluice follow ${stream.id} --until-caught-up to copy the rest` }
          : {}),
      },
    },
  ]
}

/** The only table of a stream. @throws SluiceError NOT_SWITCHABLE if it has several; errors of planning the table */
export async function tableOf(
  stores: { readonly from: CopyStore; readonly to: CopyStore },
  { stream, database }: Pick<OpenedFamily, 'stream' | 'database'>,
  copy: CopyOperation,
  run: CutoverRun,
): Promise<FollowTable> {
  const followed = await streamTableNames(stream.id, database)
  if (followed.size !== 1) {
    throw new SluiceError(
      'NOT_SWITCHABLE',
      `a cutover exchanges one table, but stream ${stream.id} follows ${followed.size} tables`,
      {
        hint: `use a separate stream for each table: ${followingCopy(copy)} --tables TABLE --to-table NEW_TABLE`,
      },
    )
  }
  const planned = await planFollowed(copy, { ...stores, begun: database }, followed, run.interrupt.abort)
  const [table] = await inspectSides({ operation: copy, planned, run }, streamSides(planned, 'slot'), true)
  if (table !== undefined) return table
  throw new SluiceError('SOURCE_GONE', `${[...followed].join(', ')} no longer exists`, { where: stores.from.label })
}

/** Check for quarantined rows; refused (ROWS_ASIDE) if there are any. */
export async function quarantineCheck(database: LedgerDatabase, table: TableKey): Promise<CutoverCheck> {
  const count = await quarantinedCount(database, table)
  if (count === 0) return { name: 'quarantine', state: 'ok', detail: 'no row is quarantined' }
  return {
    name: 'quarantine',
    state: 'refused',
    detail: `${count} rows are quarantined and not in the new table`,
    hint: 'sluice quarantine list shows them: correct them at the source, then resume the stream',
  }
}

/** The newest sign-off of the whole table decides. @returns `id`: the sign-off that the cutover relies on, or null */
export async function signOffCheck(
  database: LedgerDatabase,
  stream: string,
  key: TableKey,
  { unsigned, revert }: Pick<ReadyOptions, 'unsigned' | 'revert'>,
): Promise<{ readonly gate: CutoverCheck; readonly id: string | null }> {
  const name = 'sign-off'
  if (revert) return { gate: { name, state: 'ok', detail: 'not required when going back' }, id: null }
  const verdicts = await new SignOffLedger(database).verdicts(stream, key)
  const newest = verdicts.find(({ scope }) => scope.partition === undefined)
  if (newest?.given === true && !newest.isOutdated) {
    return { gate: { name, state: 'ok', detail: `given by ${newest.by}: ${newest.id}` }, id: newest.id }
  }
  if (unsigned)
    return {
      gate: { name, state: 'ok', detail: 'there is no valid sign-off; --unsigned continues without one' },
      id: null,
    }
  return {
    gate: {
      name,
      state: 'refused',
      detail: `${missingSignOff(newest, verdicts)} for stream ${stream}`,
      hint: `run sluice sign-off ${stream}, which compares every row; --unsigned continues without`,
    },
    id: null,
  }
}

/** Why there is no valid sign-off of the whole table. */
function missingSignOff(newest: SignOffVerdictRow | undefined, verdicts: readonly SignOffVerdictRow[]): string {
  if (newest !== undefined) {
    const at = isoTime(newest.endedMs)
    return newest.given
      ? `the table was copied again after the newest sign-off, given at ${at},`
      : `the newest sign-off was refused at ${at}`
  }
  const partitions = verdicts.filter(({ given }) => given).length
  return partitions === 0
    ? 'no sign-off was given'
    : `${partitions} partitions were signed off, but not the whole table,`
}

export function readinessRefusal([first, ...more]: readonly ReadinessRefusal[]): SluiceError {
  const { code, check } = first ?? {
    code: 'NOT_SWITCHABLE' as const,
    check: { name: 'reverse stream', detail: 'it does not exist' },
  }
  return new SluiceError(code, `cutover check ${check.name} failed: ${check.detail}`, {
    ...(more.length === 0 ? {} : { reason: `also failed: ${more.map((one) => one.check.name).join(', ')}` }),
    ...('hint' in check && check.hint !== undefined ? { hint: check.hint } : {}),
  })
}
