/**
 * Reads differing rows again in new snapshots: while programs write, a row may differ only because one side received it
 * later.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { differenceOf, type RowDifference } from './difference.ts'
import { latestExpiry, isExpiring } from './expiring-rows.ts'
import { rowBound, findsByKey, requestsOf, sourceRequest, targetRequest, timedByKey, type DiffSides } from './sides.ts'
import { repairOf, type Timed, type TimeOptions } from './times.ts'
import { lifetimeDifference } from './tokens.ts'

const PAUSES_MS = [250, 1000]
const KEYS_AT_ONCE = 200
/** Limit of rows, per read, that were found on neither side and are verified. */
const MAX_VERIFIED = 100

/** Context in which differing rows are read again. */
export type RereadContext = {
  readonly from: Pick<CopyStore, 'source'>
  readonly to: Pick<CopyStore, 'source'>
  readonly sides: Omit<DiffSides, 'source' | 'target'>
  readonly times: TimeOptions
}

/** Result of the last read of the differences. */
type RereadResult = {
  /** Rows that still differ, with current values; unchanged if a side cannot be queried by the key. */
  readonly differ: readonly RowDifference[]
  /** Rows that no longer differ. */
  readonly gone: number
  /** Unreadable rows of the source: they exist, and are no difference. */
  readonly unread: number
  /**
   * Rows added since the differences were found, minus rows removed: `rows` at the source, `targetRows` in the target.
   */
  readonly rows: bigint
  readonly targetRows: bigint
}

/** Number of rows with the key on each side. */
type KeyCounts = { readonly source: bigint; readonly target: bigint }

/** Result for one suspect; null if it cannot be read at the source. */
type SuspectResult = { readonly difference: RowDifference | null; readonly now: KeyCounts } | null

const PRESENT: Readonly<Record<RowDifference['kind'], KeyCounts>> = {
  missing: { source: 1n, target: 0n },
  extra: { source: 0n, target: 1n },
  different: { source: 1n, target: 1n },
}

/**
 * Divides the suspects into three groups: rows that still differ; rows that no longer differ, or are on neither side;
 * rows that cannot be read at the source.
 * @param isRepeated true to wait 250 ms before the read, and to read again after 1 s if some differences are gone. Not
 * useful if very many rows differ
 */
export async function rereadDifferences(
  suspects: readonly RowDifference[],
  rereadContext: RereadContext,
  isRepeated: boolean,
): Promise<RereadResult> {
  const sum = { gone: 0, unread: 0, rows: 0n, targetRows: 0n }
  let left = suspects.filter(({ unasked: why }) => why === undefined)
  const known = suspects.filter(({ unasked: why }) => why !== undefined)
  for (const wait of isRepeated ? PAUSES_MS : [0]) {
    if (left.length === 0) break
    const { signal } = rereadContext.sides
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined)
    await using source = await rereadContext.from.source(signal)
    await using target = await rereadContext.to.source(signal)
    const again: RowDifference[] = []
    for (let at = 0; at < left.length; at += KEYS_AT_ONCE) {
      const some = left.slice(at, at + KEYS_AT_ONCE)
      const sides = { ...rereadContext.sides, source, target }
      const inspections = await verifyMissing(sides, some, await inspectSuspects(sides, some, rereadContext.times))
      for (const [i, { kind }] of some.entries()) {
        const one = inspections[i]
        if (one === undefined) throw new Error('a difference was not read again')
        if (one === null) {
          sum.unread++
          continue
        }
        sum.rows += one.now.source - PRESENT[kind].source
        sum.targetRows += one.now.target - PRESENT[kind].target
        if (one.difference === null) sum.gone++
        else again.push(one.difference)
      }
    }
    const moved = again.length < left.length
    left = again
    // Nothing changed since the last read, so the remaining rows really differ.
    if (!moved) break
  }
  return { differ: [...left, ...known], ...sum }
}

/** Halves the list until a row that cannot be read or queried is isolated. @returns one result per suspect, in order */
async function inspectSuspects(
  sides: DiffSides,
  suspects: readonly RowDifference[],
  times: TimeOptions,
): Promise<readonly SuspectResult[]> {
  try {
    return await inspect(sides, suspects, times)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'VALUE_REFUSED') throw thrown
    const [only] = suspects
    if (only !== undefined && suspects.length === 1) return [await inspectAlone(sides, only, error)]
    const half = suspects.length >> 1
    return [
      ...(await inspectSuspects(sides, suspects.slice(0, half), times)),
      ...(await inspectSuspects(sides, suspects.slice(half), times)),
    ]
  }
}

/**
 * Verifies rows that a query by key finds on neither side: checks whether the side that had the row still has the key.
 */
async function verifyMissing(
  sides: DiffSides,
  suspects: readonly RowDifference[],
  inspections: readonly SuspectResult[],
): Promise<readonly SuspectResult[]> {
  const sure: SuspectResult[] = []
  let asked = 0
  for (const [i, one] of inspections.entries()) {
    const suspect = suspects[i]
    const isNowhere = one !== null && one.now.source + one.now.target === 0n
    const side = suspect?.kind === 'missing' ? 'source' : suspect?.kind === 'extra' ? 'target' : null
    if (suspect === undefined || side === null || !isNowhere || asked++ >= MAX_VERIFIED) sure.push(one)
    else if (!(await isPresent(sides, side, suspect.key))) sure.push(one)
    else {
      const error = new SluiceError(
        'VALUE_REFUSED',
        'the table has a row with this key, but a query for exactly this key does not find it',
        {
          hint: 'query the table for this key by hand: if no row is found, rebuild the index of the key, then compare again',
        },
      )
      sure.push({ difference: { ...suspect, unasked: unasked(side, error) }, now: PRESENT[suspect.kind] })
    }
  }
  return sure
}

/**
 * True if the largest key up to `key` is `key`. False on a ring or for a NULL key, where this query is not possible.
 */
async function isPresent(sides: DiffSides, side: 'source' | 'target', key: RowKey): Promise<boolean> {
  const { plan, signal } = sides
  const through = key.flatMap((text) => text ?? [])
  const request = side === 'source' ? sourceRequest : targetRequest
  const { table, range, where } = request(sides, { by: 'key', after: null, through })
  if (through.length < key.length || plan.source.ring !== undefined || table.ring !== undefined) return false
  const last = await sides[side].last(table, range, where, signal)
  return last !== null && range.by === 'key' && JSON.stringify(last) === JSON.stringify(range.through)
}

/**
 * Result for a row that cannot be read on one side: a difference, or null if the row exists in the source and cannot be
 * read there.
 */
async function inspectAlone(sides: DiffSides, suspect: RowDifference, error: SluiceError): Promise<SuspectResult> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys: [suspect.key] } as const
  let unread = false
  try {
    const request = { ...sourceRequest(sides, range), onRefused: () => void (unread = true) }
    await timedByKey(sides.source, request, plan, signal)
  } catch (thrown) {
    const own = asSluiceError(thrown)
    if (own.code !== 'VALUE_REFUSED') throw thrown
    return { difference: { ...suspect, unasked: unasked('source', own) }, now: PRESENT[suspect.kind] }
  }
  if (unread) return null
  return { difference: { ...suspect, unasked: unasked('target', error) }, now: PRESENT[suspect.kind] }
}

function unasked(side: 'source' | 'target', { code, message, reason, hint, where }: SluiceError): SluiceError {
  return new SluiceError(code, `the row cannot be read in the ${side}: ${message}`, { where, reason, hint })
}

async function inspect(
  sides: DiffSides,
  suspects: readonly RowDifference[],
  times: TimeOptions,
): Promise<readonly SuspectResult[]> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys: suspects.map(({ key }) => key) } as const
  const begunMs = Date.now()
  const [asked, wanted] = requestsOf(sides, range)
  const [source, target] = await Promise.all([
    byBound(sides.source, asked, plan, signal),
    byBound(sides.target, wanted, plan, signal),
  ])
  const until = await latestExpiry(sides, begunMs, [...source.values(), ...target.values()])
  const finds = findsByKey(plan)
  return suspects.map((suspect) => {
    const { key, kind } = suspect
    const text = JSON.stringify(key)
    const [here, there] = [source.get(text), target.get(text)]
    if (isExpiring(plan, here, there, until)) {
      const both = here === undefined || there === undefined ? 0n : 1n
      return { difference: null, now: { source: both, target: both } }
    }
    if (here === undefined && kind !== 'extra' && !finds) {
      const error = new SluiceError(
        'VALUE_REFUSED',
        'the target stores the key in another form, and a query with this form finds no row',
      )
      return { difference: { ...suspect, unasked: unasked('source', error) }, now: PRESENT[kind] }
    }
    const now = { source: here === undefined ? 0n : 1n, target: there === undefined ? 0n : 1n }
    const difference = differenceOf(plan, here?.row, there?.row) ?? lifetimeDifference(sides, here, there)
    if (difference === null || here === undefined || there === undefined) return { difference, now }
    const { newer } = repairOf(plan, here, there, times, false, sides.lifetimes === true)
    return { difference: newer.length === 0 ? difference : { ...difference, newer }, now }
  })
}

async function byBound(...asked: Parameters<typeof timedByKey>): Promise<ReadonlyMap<string, Timed>> {
  const rows = await timedByKey(...asked)
  return new Map([...rows.values()].map((one) => [JSON.stringify(rowBound(asked[2], one.row)), one]))
}
