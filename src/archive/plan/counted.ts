/** Counts archived periods by how they were compared with the database, for the final message. */
import type { PeriodState } from './period-rows.ts'

/** How a period was checked. `empty`: the database has no rows of it, so nothing more could be checked. */
type CheckKind = 'values' | 'keys' | 'count' | 'empty'

/** Maximum number of reasons that the text names; `…` replaces the others. */
const NAMED = 3

export class PlanCounts {
  readonly #counts = new Map<CheckKind, number>()
  readonly #notInspected = new Map<string, number>()

  /** Adds a period whose rows were only counted, or that was not checked. */
  addPeriod(state: PeriodState): void {
    if ('notInspected' in state) this.#add(this.#notInspected, state.notInspected)
    else this.by(state.rows === 0n && state.surplus === 0n ? 'empty' : 'count')
  }

  by(how: CheckKind): void {
    this.#add(this.#counts, how)
  }

  /** Text about what was not checked; empty if all was. @param next sentence about a command that checks more */
  notChecked(next: string): { readonly notChecked?: string } {
    const of = (how: CheckKind): number => this.#counts.get(how) ?? 0
    const notInspected = [...this.#notInspected.values()].reduce((sum, one) => sum + one, 0)
    if (of('keys') + of('count') + notInspected === 0) return {}
    const reasons = [...this.#notInspected.keys()]
    const more = reasons.length > NAMED ? '; …' : ''
    const parts = [
      ...(of('values') > 0 ? [`${of('values')} by all values`] : []),
      ...(of('keys') > 0 ? [`${of('keys')} by key, not by value`] : []),
      ...(of('count') > 0
        ? [`${of('count')} by count, which shows neither changed values nor a late row that replaces a deleted one`]
        : []),
      ...(notInspected > 0 ? [`${notInspected} not at all (${reasons.slice(0, NAMED).join('; ')}${more})`] : []),
    ]
    return {
      notChecked: `archived rows that are still in the database; periods were searched for them: ${parts.join('; ')}. ${next}`,
    }
  }

  #add<K>(counts: Map<K, number>, key: K): void {
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
}
