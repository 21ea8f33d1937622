/** What the draws of a suite came to. */
import type { Drawn } from './drawing.ts'
import type { Verdict } from './verdict.ts'

/** A suite of which so many tables were drawn has an equal one: a third at least is. */
const FEWEST = 20
/** So has a pair of systems: a sixth at least is. */
const ENOUGH = 40

export class Tally {
  readonly #counts = new Map<string, number>()
  readonly #pairs = new Map<string, { drawn: number; equal: number }>()

  add({ from, to }: Drawn, verdict: Verdict): void {
    const name = `${from.system} to ${to.system}`
    const what = verdict.is === 'named' ? `${name}: ${verdict.code}` : verdict.is
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1)
    const pair = this.#pairs.get(name) ?? { drawn: 0, equal: 0 }
    pair.drawn += 1
    if (verdict.is === 'equal') pair.equal += 1
    this.#pairs.set(name, pair)
  }

  /** In words. */
  get text(): string {
    return [...this.#counts].map(([what, n]) => `${n} ${what}`).join(', ')
  }

  /** Whether `idle` says anything of the suite: a slow machine draws few tables in its time. */
  get isTelling(): boolean {
    const drawn = [...this.#pairs.values()].reduce((sum, pair) => sum + pair.drawn, 0)
    return this.#counts.has('equal') || drawn >= FEWEST
  }

  /** Where nothing was compared, in words: a suite whose tables are all refused or discarded finds no fault. */
  get idle(): readonly string[] {
    if (!this.#counts.has('equal')) return [`nothing of what was drawn is equal: ${this.text}`]
    return [...this.#pairs].flatMap(([name, { drawn, equal }]) =>
      equal > 0 || drawn < ENOUGH ? [] : [`${name}: none of ${drawn} drawn tables is equal`],
    )
  }
}
