/** Counts of the verdicts of a suite. */
import type { Drawn } from './drawing.ts'
import type { Verdict } from './verdict.ts'

/** After this many draws, a suite must have an equal table; at least a third usually is. */
const FEWEST = 20
/** The same for a pair of systems; at least a sixth usually is. */
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

  /** The counts as text. */
  get text(): string {
    return [...this.#counts].map(([what, n]) => `${n} ${what}`).join(', ')
  }

  /** Whether enough tables were drawn for `idle`: a slow machine draws few in its time. */
  get isTelling(): boolean {
    const drawn = [...this.#pairs.values()].reduce((sum, pair) => sum + pair.drawn, 0)
    return this.#counts.has('equal') || drawn >= FEWEST
  }

  /** Problems: a suite finds no fault if all of its tables are refused or discarded. */
  get idle(): readonly string[] {
    if (!this.#counts.has('equal')) return [`nothing of what was drawn is equal: ${this.text}`]
    return [...this.#pairs].flatMap(([name, { drawn, equal }]) =>
      equal > 0 || drawn < ENOUGH ? [] : [`${name}: none of ${drawn} drawn tables is equal`],
    )
  }
}
