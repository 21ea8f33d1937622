/** Choices that a seed repeats. */
/** A whole number from 0 on, below what is given. */
export type Random = (below: number) => number

const GIVEN = process.env['SLUICE_DRAW_SEED']
/** CI repeats draws that were good before: what a new seed finds is mended, or noted as known, and holds up no landing. */
const IN_CI = { seed: 20_783, draws: 5 }
const isCi = GIVEN === undefined && process.env['CI'] !== undefined
const [FIRST, ONLY] = (GIVEN ?? String(isCi ? IN_CI.seed : Date.now() % 1_000_000)).split('/')

/** Draws of a run at most, however much time there is. */
export const MOST_DRAWS = isCi ? IN_CI.draws : Infinity
/** Seed of this run. */
export const SEED = Number(FIRST)
/** The only draw that is repeated, where `SLUICE_DRAW_SEED` is `seed/draw`. */
export const ONLY_DRAW = ONLY === undefined ? undefined : Number(ONLY)

/** Choices of one draw, which have nothing in common with those of the next: of a plain generator the first choices of draws in a row go round. */
export function drawOf(draw: number): Random {
  let state = Math.imul(SEED, 0x9e_37_79_b1) ^ Math.imul(draw, 0x85_eb_ca_6b)
  return (below) => {
    state = (state + 0x6d_2b_79_f5) | 0
    const once = Math.imul(state ^ (state >>> 15), 1 | state)
    const twice = (once + Math.imul(once ^ (once >>> 7), 61 | once)) ^ once
    return Math.floor((((twice ^ (twice >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

/** @throws where there is nothing to choose from */
export function pick<T>(random: Random, all: readonly T[]): T {
  if (all.length === 0) throw new Error('nothing to draw from')
  return all[random(all.length)] as T
}

/** `count` of them in their own order, fewer where there are fewer. */
export function some<T>(random: Random, all: readonly T[], count: number): readonly T[] {
  const left = all.map((_, i) => i)
  const taken = Array.from({ length: Math.min(count, all.length) }, () => left.splice(random(left.length), 1)[0] ?? 0)
  return taken.toSorted((a, b) => a - b).map((i) => all[i] as T)
}
