/** A table that is written to shows rows on their way as differences: they are looked at again, with fresh eyes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { asSluiceError, SluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../model/copy/port.ts'
import { differenceOf, type Difference } from './difference.ts'
import { endingUntil, isEnding } from './ending-rows.ts'
import { boundOf, findsByKey, sourceRequest, targetRequest, timedByKey, type Sides } from './sides.ts'
import { mendOf, type Timed, type TimeWish } from './times.ts'
import { livesApart } from './tokens.ts'

const AFTER_MS = [250, 1000]
const KEYS_AT_ONCE = 200
/** Rows that are nowhere any more of which it is made sure, of one look. */
const MOST_MADE_SURE = 100

export type Again = {
  readonly from: Pick<CopyStore, 'source'>
  readonly to: Pick<CopyStore, 'source'>
  readonly sides: Omit<Sides, 'source' | 'target'>
  readonly times: TimeWish
}

/** What became of differences at the last look at them. */
type LookedAt = {
  /** Those that still differ, as they differ now; each as it was where a side cannot be asked for its key. */
  readonly differ: readonly Difference[]
  /** Rows that differed a moment ago and no more. */
  readonly gone: number
  /** Rows of the source that cannot be read: they are there, and told elsewhere. */
  readonly unread: number
  /** Rows of each side that have come since the differences were found, less those that have gone. */
  readonly rows: bigint
  readonly targetRows: bigint
}

/** How often a key stands on each side. */
type Present = { readonly source: bigint; readonly target: bigint }

/** One suspect: null where it cannot be read at the source. */
type Look = { readonly difference: Difference | null; readonly now: Present } | null

const PRESENT: Readonly<Record<Difference['kind'], Present>> = {
  missing: { source: 1n, target: 0n },
  extra: { source: 0n, target: 1n },
  different: { source: 1n, target: 1n },
}

/**
 * No suspect gets lost: each differs still, was seen to be equal or nowhere, or cannot be read at the source.
 * @param patient look a second and a third time, some moments later; where very many differ, that they do is no matter of a moment
 */
export async function lookAgain(suspects: readonly Difference[], around: Again, patient: boolean): Promise<LookedAt> {
  const sum = { gone: 0, unread: 0, rows: 0n, targetRows: 0n }
  let left = suspects.filter(({ unasked: why }) => why === undefined)
  const known = suspects.filter(({ unasked: why }) => why !== undefined)
  for (const wait of patient ? AFTER_MS : [0]) {
    if (left.length === 0) break
    const { signal } = around.sides
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined)
    await using source = await around.from.source(signal)
    await using target = await around.to.source(signal)
    const again: Difference[] = []
    for (let at = 0; at < left.length; at += KEYS_AT_ONCE) {
      const some = left.slice(at, at + KEYS_AT_ONCE)
      const sides = { ...around.sides, source, target }
      const looks = await madeSure(sides, some, await look(sides, some, around.times))
      for (const [i, { kind }] of some.entries()) {
        const one = looks[i]
        if (one === undefined) throw new Error('a difference was not looked at again')
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
    // Nothing has moved: what differs differs.
    if (!moved) break
  }
  return { differ: [...left, ...known], ...sum }
}

/** A row that cannot be read or asked for, among others, is found by halves. @returns one for each suspect, in their order */
async function look(sides: Sides, suspects: readonly Difference[], times: TimeWish): Promise<readonly Look[]> {
  try {
    return await lookAt(sides, suspects, times)
  } catch (thrown) {
    const error = asSluiceError(thrown)
    if (error.code !== 'VALUE_REFUSED') throw thrown
    const [only] = suspects
    if (only !== undefined && suspects.length === 1) return [await lookAlone(sides, only, error)]
    const half = suspects.length >> 1
    return [...(await look(sides, suspects.slice(0, half), times)), ...(await look(sides, suspects.slice(half), times))]
  }
}

/** Of rows that are found nowhere by their keys, whether the side that had them has such a key at all. */
async function madeSure(
  sides: Sides,
  suspects: readonly Difference[],
  looks: readonly Look[],
): Promise<readonly Look[]> {
  const sure: Look[] = []
  let asked = 0
  for (const [i, one] of looks.entries()) {
    const suspect = suspects[i]
    const isNowhere = one !== null && one.now.source + one.now.target === 0n
    const side = suspect?.kind === 'missing' ? 'source' : suspect?.kind === 'extra' ? 'target' : null
    if (suspect === undefined || side === null || !isNowhere || asked++ >= MOST_MADE_SURE) sure.push(one)
    else if (!(await stands(sides, side, suspect.key))) sure.push(one)
    else {
      const error = new SluiceError('VALUE_REFUSED', 'its key stands there, and nothing is found by it')
      sure.push({ difference: { ...suspect, unasked: unasked(side, error) }, now: PRESENT[suspect.kind] })
    }
  }
  return sure
}

/** Whether the largest key up to this one is this one. Where rows lie on a ring, or a key is NULL, nobody can ask that. */
async function stands(sides: Sides, side: 'source' | 'target', key: RowKey): Promise<boolean> {
  const { plan, signal } = sides
  const through = key.flatMap((text) => text ?? [])
  const request = side === 'source' ? sourceRequest : targetRequest
  const { table, range, where } = request(sides, { by: 'key', after: null, through })
  if (through.length < key.length || plan.source.ring !== undefined || table.ring !== undefined) return false
  const last = await sides[side].last(table, range, where, signal)
  return last !== null && range.by === 'key' && JSON.stringify(last) === JSON.stringify(range.through)
}

/** A row that nobody can look at differs, unless the source has it and cannot give it. */
async function lookAlone(sides: Sides, suspect: Difference, error: SluiceError): Promise<Look> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys: [suspect.key] } as const
  let unread = false
  try {
    const request = { ...sourceRequest(sides, range), aside: () => void (unread = true) }
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
  return new SluiceError(code, `it cannot be asked for in the ${side}: ${message}`, {
    ...(where === undefined ? {} : { where }),
    ...(reason === undefined ? {} : { reason }),
    ...(hint === undefined ? {} : { hint }),
  })
}

async function lookAt(sides: Sides, suspects: readonly Difference[], times: TimeWish): Promise<readonly Look[]> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys: suspects.map(({ key }) => key) } as const
  const begunMs = Date.now()
  const [source, target] = await Promise.all([
    byBound(sides.source, sourceRequest(sides, range), plan, signal),
    byBound(sides.target, targetRequest(sides, range), plan, signal),
  ])
  const until = await endingUntil(sides, begunMs, [...source.values(), ...target.values()])
  const finds = findsByKey(plan)
  return suspects.map((suspect) => {
    const { key, kind } = suspect
    const text = JSON.stringify(key)
    const [here, there] = [source.get(text), target.get(text)]
    if (isEnding(plan, here, there, until)) {
      const both = here === undefined || there === undefined ? 0n : 1n
      return { difference: null, now: { source: both, target: both } }
    }
    if (here === undefined && kind !== 'extra' && !finds) {
      const error = new SluiceError('VALUE_REFUSED', 'nothing is found by its key as the target holds it')
      return { difference: { ...suspect, unasked: unasked('source', error) }, now: PRESENT[kind] }
    }
    const now = { source: here === undefined ? 0n : 1n, target: there === undefined ? 0n : 1n }
    const difference = differenceOf(plan, here?.row, there?.row) ?? livesApart(sides, here, there)
    if (difference === null || here === undefined || there === undefined) return { difference, now }
    const { newer } = mendOf(plan, here, there, times, false, sides.lives === true)
    return { difference: newer.length === 0 ? difference : { ...difference, newer }, now }
  })
}

async function byBound(...asked: Parameters<typeof timedByKey>): Promise<ReadonlyMap<string, Timed>> {
  const rows = await timedByKey(...asked)
  return new Map([...rows.values()].map((one) => [JSON.stringify(boundOf(asked[2], one.row)), one]))
}
