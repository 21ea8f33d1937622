/** The one listener that finds causes of alerts: all that is known comes out of events, so that a recorded run says the same. */
import type { AlertCondition, RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'
import type { CauseWatch, Verdict } from './cause.ts'
import { drift } from './drift.ts'
import { failed } from './failed.ts'
import { fsck } from './fsck.ts'
import { defaultRows, noneAhead } from './partitions.ts'
import { quarantine } from './quarantine.ts'
import { stuck } from './stuck.ts'
import { verify } from './verify.ts'

/** @param conditions those of streams are left to whoever follows */
export class Causes {
  readonly #watches: readonly CauseWatch[]
  readonly #found = new Set<RunCause>()

  constructor(conditions: readonly AlertCondition[]) {
    // What a run ends with is told last: another cause may have told it.
    const isLast = ({ cause }: AlertCondition): boolean => cause === 'failed'
    this.#watches = [...conditions.filter((one) => !isLast(one)), ...conditions.filter(isLast)].flatMap((one) => {
      const made = this.#watchOf(one)
      return made === null ? [] : [made]
    })
  }

  /** @param at ms of a steady clock; of the end of a run before it is told */
  take(event: EventBody, at: number): readonly Verdict[] {
    return this.#noted(this.#watches, (watch) => watch.take(event, at))
  }

  /** What time alone brings. */
  look(at: number): readonly Verdict[] {
    return this.#noted(this.#watches, (watch) => watch.look?.(at) ?? [])
  }

  /** Whether somebody has to be asked for what time alone brings. */
  get looks(): boolean {
    return this.#watches.some(({ look }) => look !== undefined)
  }

  #noted(watches: readonly CauseWatch[], ask: (watch: CauseWatch) => readonly Verdict[]): readonly Verdict[] {
    const all: Verdict[] = []
    for (const watch of watches) {
      for (const verdict of ask(watch)) {
        if (verdict.holds) this.#found.add(verdict.cause)
        all.push(verdict)
      }
    }
    return all
  }

  #watchOf(condition: AlertCondition): CauseWatch | null {
    switch (condition.cause) {
      case 'failed':
        return failed((cause) => this.#found.has(cause))
      case 'stuck':
        return stuck(condition.limit)
      case 'quarantine':
        return quarantine()
      case 'drift':
        return drift()
      case 'fsck':
        return fsck()
      case 'verify':
        return verify()
      case 'none-ahead':
        return noneAhead()
      case 'default-rows':
        return defaultRows()
      default:
        return null
    }
  }
}
