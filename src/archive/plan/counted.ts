/** What was looked at of the rows that a database still has of archived periods: kept in counts, and said in one sentence. */
import type { PeriodLook } from './period-rows.ts'

/** How a period was looked at. `empty`: there is nothing of it in the database, so that no look sees more. */
type How = 'values' | 'keys' | 'count' | 'empty'

/** Reasons that a sentence names; it counts the rest. */
const NAMED = 3

export class Looked {
  readonly #counts = new Map<How, number>()
  readonly #notLooked = new Map<string, number>()

  /** A period that was looked at by count at the most, or not at all. */
  look(look: PeriodLook): void {
    if ('notLooked' in look) this.#add(this.#notLooked, look.notLooked)
    else this.by(look.rows === 0n && look.surplus === 0n ? 'empty' : 'count')
  }

  by(how: How): void {
    this.#add(this.#counts, how)
  }

  /** What a reader might take for checked, and is not; nothing where all was looked at, or nothing is there. @param next what looks at more */
  notChecked(next: string): { readonly notChecked?: string } {
    const of = (how: How): number => this.#counts.get(how) ?? 0
    const unlooked = [...this.#notLooked.values()].reduce((sum, one) => sum + one, 0)
    if (of('keys') + of('count') + unlooked === 0) return {}
    const reasons = [...this.#notLooked.keys()]
    const more = reasons.length > NAMED ? '; …' : ''
    const parts = [
      ...(of('values') > 0 ? [`${of('values')} by all values`] : []),
      ...(of('keys') > 0 ? [`${of('keys')} by key, and not by value`] : []),
      ...(of('count') > 0
        ? [`${of('count')} by count, which shows neither other values nor a late row beside a deleted one`]
        : []),
      ...(unlooked > 0 ? [`${unlooked} not at all (${reasons.slice(0, NAMED).join('; ')}${more})`] : []),
    ]
    return { notChecked: `archived rows that are still in the database, by period: ${parts.join('; ')}. ${next}` }
  }

  #add<K>(counts: Map<K, number>, key: K): void {
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}
