/** Random choices that a seed repeats. */
/** A random integer from 0 up to, but without, `below`. */
export type Random = (below: number) => number

const GIVEN = process.env['SLUICE_DRAW_SEED']
/**
 * CI repeats draws that passed before, so that a new fault does not block a merge: faults of new seeds are fixed or
 * recorded as known.
 */
const IN_CI = { seed: 20_783, draws: 5 }
const isCi = GIVEN === undefined && process.env['CI'] !== undefined
const [FIRST, ONLY] = (GIVEN ?? String(isCi ? IN_CI.seed : Date.now() % 1_000_000)).split('/')

/** Most draws of a run, even if time is left. */
export const MOST_DRAWS = isCi ? IN_CI.draws : Infinity
/** Seed of this run. */
export const SEED = Number(FIRST)
/** The only draw to repeat, if `SLUICE_DRAW_SEED` is `seed/draw`. */
export const ONLY_DRAW = ONLY === undefined ? undefined : Number(ONLY)

/**
 * Random choices of one draw, independent of the next one: with a plain generator, the first choices of consecutive
 * draws repeat in cycles.
 */
export function drawOf(draw: number): Random {
  let state = Math.imul(SEED, 0x9e_37_79_b1) ^ Math.imul(draw, 0x85_eb_ca_6b)
  return (below) => {
    state = (state + 0x6d_2b_79_f5) | 0
    const once = Math.imul(state ^ (state >>> 15), 1 | state)
    const twice = (once + Math.imul(once ^ (once >>> 7), 61 | once)) ^ once
    return Math.floor((((twice ^ (twice >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** @throws Error if the list is empty */
export function pick<T>(random: Random, all: readonly T[]): T {
  if (all.length === 0) throw new Error('nothing to draw from')
  return all[random(all.length)] as T
}

/** `count` elements in their original order; all of them if there are fewer. */
export function some<T>(random: Random, all: readonly T[], count: number): readonly T[] {
  const left = all.map((_, i) => i)
  const taken = Array.from({ length: Math.min(count, all.length) }, () => left.splice(random(left.length), 1)[0] ?? 0)
  return taken.toSorted((a, b) => a - b).map((i) => all[i] as T)
}
