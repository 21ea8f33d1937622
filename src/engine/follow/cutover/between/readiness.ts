/** Requirements of a cutover between two databases that can be checked before the stream continues. */
import { tableText, type TableName } from '../../../../model/copy/column-type.ts'
import { SluiceError } from '../../../../shared/errors.ts'
import type { FollowedTable } from '../../../../model/follow/port.ts'
import type { SwitchFinding } from '../../../../model/follow/switch-port.ts'
import type { CutoverRun } from '../../operations/cutover/declaration.ts'
import type { CopyOperation } from '../../../copy/operations/copy/declaration.ts'
import type { CopyStore } from '../../../../model/copy/port.ts'
import { keyChecks } from '../../stream/unchecked-keys.ts'
import { tableKeyOf } from '../../../copy/ledger/owner.ts'
import { streamsInto } from '../../../copy/ledger/stream-lookup.ts'
import type { CutoverCheck, CutoverChecks } from '../cutover-checks.ts'
import {
  collecting,
  quarantineCheck,
  readinessRefusal,
  reportedFindings,
  reverseCheck,
  signOffCheck,
  streamChecks,
  tableOf,
  type CutoverReady,
  type ReadyOptions,
} from '../readiness.ts'
import { reverseCopy } from '../reverse-copy.ts'
import { isForeignToken } from './token.ts'
import type { CutoverCapabilities, Between } from './sides.ts'
import { givenFields } from '../../../../shared/given-fields.ts'

/** `reverse`: the copy operation after the cutover. */
export type BetweenReady = Pick<CutoverReady, 'key' | 'identity' | 'reverse' | 'findings' | 'signOff'> & {
  readonly from: TableName
  readonly to: TableName
  /** The table to which writers move, as the source of the reverse stream. */
  readonly taken: FollowedTable
  /** Why a cutover back would be refused now, and a hint; null if it would be allowed. */
  readonly refusedBack: RefusedBack | null
}

/** Why a cutover back is refused, and what to do first. */
export type RefusedBack = { readonly why: string; readonly hint: string }

export type BetweenOptions = Omit<ReadyOptions, 'parked'> & { readonly keepSessions: boolean }

/** @param copy operation of the ending stream @throws SluiceError for the first refused check; all are reported */
export async function betweenReady(
  between: Between,
  able: CutoverCapabilities,
  copy: CopyOperation,
  options: BetweenOptions,
  gates: CutoverChecks,
  run: CutoverRun,
): Promise<BetweenReady> {
  const { closes, opens, stream, family } = between
  const signal = run.interrupt.abort
  const { refusals, set } = collecting(gates)
  const ends = { from: closes.store, to: opens.store }
  const table = await tableOf(ends, { stream, database: opens.database }, copy, run)
  const [from, to] = [table.source.table.table, table.target.table.table]
  gates.table = tableText(from)
  for (const { code, check } of await streamChecks({ stream, streams: opens.streams }, able.changes)) set(code, check)
  const findings = await able.opening.inspect(to, await able.closing.facts(from, signal), signal)
  set('NOT_SWITCHABLE', reportedFindings(findings, run))
  for (const gate of await otherCutoverChecks(between, able, from, signal)) set('NOT_SWITCHABLE', gate)
  set('NOT_SWITCHABLE', await sessionsCheck(able, from, options.keepSessions, signal))
  set('NOT_SWITCHABLE', await parentsCheck(opens.store, to, signal))
  set('ROWS_ASIDE', await quarantineCheck(opens.database, table.key))
  const asked = { unsigned: options.unsigned, revert: family.turns.length % 2 === 1 }
  const signed = await signOffCheck(opens.database, stream.id, table.key, asked)
  set('NOT_SIGNED', signed.gate)
  const back = await able.closing.inspect(from, await able.opening.facts(to, signal), signal)
  const refusedBack = refusalBack(back, findings)
  const reverse: CopyOperation = { ...reverseCopy(copy, to, from), from: opens.url, to: closes.url }
  const note = refusedBack === null ? '' : `. Going back is refused while ${refusedBack.why}`
  const taken = await reverseCheck(reverse, { from: opens.store, to: closes.store }, to, run, set, note)
  if (taken !== null && refusedBack !== null)
    run.emit({ type: 'log', level: 'warn', table: gates.table, ...noCutoverBack(refusedBack) })
  if (refusals.length > 0 || taken === null) throw readinessRefusal(refusals)
  return {
    from,
    to,
    key: table.key,
    identity: table.source.identity,
    reverse,
    taken,
    findings,
    refusedBack,
    signOff: signed.id,
  }
}

/** Rows of the target that no session has checked: the stream applies changes without foreign keys. */
async function parentsCheck(store: CopyStore, to: TableName, signal: AbortSignal): Promise<CutoverCheck> {
  const [counted] = await keyChecks(store, [to], [to], signal)
  const { outcome = 'not checked', found = `${store.system} lists none`, hint } = counted ?? {}
  return {
    name: 'foreign keys',
    state: outcome === 'failed' ? 'refused' : 'ok',
    detail: outcome === 'not checked' ? `not checked: ${found}` : found,
    ...givenFields({ hint }),
  }
}

/** @throws SluiceError NOT_SWITCHABLE if a row of a foreign key has no parent in the target */
export async function requireParents(
  store: CopyStore,
  to: TableName,
  checks: CutoverChecks,
  signal: AbortSignal,
): Promise<void> {
  const check = await parentsCheck(store, to, signal)
  checks.set(check)
  if (check.state === 'refused')
    throw new SluiceError('NOT_SWITCHABLE', check.detail, {
      where: tableText(to),
      ...givenFields({ hint: check.hint }),
    })
}

/** Warning that a cutover back is refused; emitted before and after the cutover. */
export function noCutoverBack({ why, hint }: RefusedBack): { readonly message: string; readonly hint: string } {
  return { message: `the cutover is possible, but going back is refused while ${why}`, hint }
}

/** @param findings for the cutover back @param forward what the cutover itself refuses has to be changed before */
function refusalBack(findings: readonly SwitchFinding[], forward: readonly SwitchFinding[]): RefusedBack | null {
  const isRefused = ({ verdict }: SwitchFinding): boolean => verdict === 'refused'
  const first = forward.filter(isRefused)
  const refused = findings.filter(
    (one) => isRefused(one) && !first.some(({ about, object }) => about === one.about && object === one.object),
  )
  if (refused.length === 0) return null
  return {
    why: refused.map(({ about, object }) => `${about} ${object ?? ''} is unchanged`.replace('  ', ' ')).join(', '),
    hint: `before you go back: ${refused.map(({ hint, detail }) => hint ?? detail).join('; ')}`,
  }
}

/** Refused checks of the source: another cutover has closed it, or another stream writes into it. */
async function otherCutoverChecks(
  { closes, opens, stream, family }: Between,
  { closing }: CutoverCapabilities,
  from: TableName,
  signal: AbortSignal,
): Promise<readonly CutoverCheck[]> {
  const name = tableText(from)
  const gates: CutoverCheck[] = []
  const token = await closing.closedBy(from, signal)
  if (token !== null && isForeignToken(token, await opens.steps.closings(stream.id))) {
    const hint = 'complete or revert that cutover first'
    gates.push({ name: 'closing', state: 'refused', detail: `another cutover has closed ${name} to writers`, hint })
  }
  // Do not report the stream itself, or streams that earlier cutovers have ended.
  const own = new Set([stream.id, ...family.turns.map((row) => row.stream)])
  const into = await streamsInto(closes.store, { database: closes.database, signal }, [tableKeyOf(from)])
  const other = into.find(({ id }) => !own.has(id))
  if (other !== undefined) {
    const detail = `${name} gets its rows from elsewhere: stream ${other.id} writes into it, also while it is closed`
    const hint = `cut over the source of that stream instead, or end the stream: sluice follow ${other.id} --end`
    gates.push({ name: 'other streams', state: 'refused', detail, hint })
  }
  return gates
}

/** Check: how many sessions may have to be terminated, and whether the login has the right to terminate them. */
async function sessionsCheck(
  { closing }: CutoverCapabilities,
  from: TableName,
  keepSessions: boolean,
  signal: AbortSignal,
): Promise<CutoverCheck> {
  const name = 'sessions'
  const { connected, holding, prepared, protected: kept } = await closing.writers(from, signal)
  const counted = `${connected} sessions of roles that may write into ${tableText(from)} are connected, ${holding.length + prepared.length} have a write lock on it now`
  if (keepSessions)
    return { name, state: 'ok', detail: `${counted}; no session is terminated, because --keep-sessions is set` }
  if (kept.length === 0) return { name, state: 'ok', detail: `${counted}; those that do not release it are terminated` }
  return {
    name,
    state: 'refused',
    detail: `${counted}, and this role may not terminate sessions of ${kept.join(', ')}`,
    hint: 'GRANT pg_signal_backend TO the role of --from, or add --keep-sessions to wait for them instead',
  }
}
