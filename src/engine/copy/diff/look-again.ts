/** A table that is written to shows rows on their way as differences: they are looked at again, with fresh eyes. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { RowKey } from '../../../model/copy/row-key.ts'
import { asSluiceError } from '../../../shared/errors.ts'
import type { CopyStore } from '../../../stores/copy-port.ts'
import { differenceOf, type Difference } from './compare.ts'
import { sourceRequest, targetRequest, timedByKey, type Sides } from './sides.ts'
import { mendOf, type TimeWish } from './times.ts'
import { livesApart } from './tokens.ts'

const AFTER_MS = [250, 1000]
const KEYS_AT_ONCE = 200

export type Again = {
  readonly from: Pick<CopyStore, 'source'>
  readonly to: Pick<CopyStore, 'source'>
  readonly sides: Omit<Sides, 'source' | 'target'>
  readonly times: TimeWish
}

/**
 * @param patient look a second and a third time, some moments later; where very many differ, that they do is no matter of a moment
 * @returns those that still differ, as they differ now; rows that cannot be read are left out
 */
export async function stillDifferent(
  suspects: readonly Difference[],
  around: Again,
  patient: boolean,
): Promise<readonly Difference[]> {
  let left = suspects
  for (const wait of patient ? AFTER_MS : [0]) {
    if (left.length === 0) return left
    const { signal } = around.sides
    if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined)
    await using source = await around.from.source(signal)
    await using target = await around.to.source(signal)
    const again: Difference[] = []
    for (let at = 0; at < left.length; at += KEYS_AT_ONCE) {
      const keys = left.slice(at, at + KEYS_AT_ONCE).map(({ key }) => key)
      again.push(...(await look({ ...around.sides, source, target }, keys, around.times)))
    }
    // Nothing has moved: what differs differs.
    if (again.length === left.length) return again
    left = again
  }
  return left
}

/** A row that cannot be read, among others, is found by halves. */
async function look(sides: Sides, keys: readonly RowKey[], times: TimeWish): Promise<readonly Difference[]> {
  try {
    return await lookAt(sides, keys, times)
  } catch (thrown) {
    if (asSluiceError(thrown).code !== 'VALUE_REFUSED') throw thrown
    if (keys.length <= 1) return []
    const half = keys.length >> 1
    return [...(await look(sides, keys.slice(0, half), times)), ...(await look(sides, keys.slice(half), times))]
  }
}

async function lookAt(sides: Sides, keys: readonly RowKey[], times: TimeWish): Promise<readonly Difference[]> {
  const { plan, signal } = sides
  const range = { by: 'keys', keys } as const
  const [source, target] = await Promise.all([
    timedByKey(sides.source, sourceRequest(sides, range), plan, signal),
    timedByKey(sides.target, targetRequest(sides, range), plan, signal),
  ])
  const texts = new Set([...source.keys(), ...target.keys()])
  return [...texts].flatMap((text) => {
    const [here, there] = [source.get(text), target.get(text)]
    const difference = differenceOf(plan, here?.row, there?.row) ?? livesApart(sides, here, there)
    if (difference === null) return []
    if (here === undefined || there === undefined) return [difference]
    const { newer } = mendOf(plan, here, there, times, false, sides.lives === true)
    return [newer.length === 0 ? difference : { ...difference, newer }]
  })
}
