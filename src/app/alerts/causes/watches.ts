/** The one listener that finds causes of alerts: all that is known comes out of events, so that a recorded run says the same. */
import type { AlertCondition, RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'
import { LookedTables, type CauseWatch, type Verdict } from './cause.ts'
import { drift } from './drift.ts'
import { failed } from './failed.ts'
import { defaultRows, noneAhead } from './partitions.ts'
import { stuck } from './stuck.ts'

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

/** `verify`: what is read of an archive is not what was proved. Rows that came late to the table are no damage. */
function verify(): CauseWatch {
  const tables = new LookedTables()
  return {
    take: (event) => {
      if (event.type === 'archive.progress') tables.looked(event.table)
      if (event.type === 'archive.finding' && event.finding !== 'late rows' && tables.found(event.table)) {
        const { table, finding, partition, path, detail } = event
        const value = [finding, path ?? partition, detail].filter(Boolean).join(': ')
        return [{ cause: 'verify', table, holds: true, value }]
      }
      // All were gone through where the run ended well, or with what it found.
      if (event.type !== 'run.finished' || event.status === 'stopped') return []
      if (event.status !== 'ok' && event.error?.code !== 'PROOF_FAILED') return []
      return tables.well.map((table) => ({
        cause: 'verify' as const,
        table,
        holds: false,
        value: 'all of the archive that was read is as it was proved',
      }))
    },
  }
}

/** `quarantine`: rows of a table are set aside, by this run or by one before it. */
function quarantine(): CauseWatch {
  const told = new Set<string>()
  const aside = (table: string, value: string): readonly Verdict[] => {
    if (told.has(table)) return []
    told.add(table)
    return [{ cause: 'quarantine', table, holds: true, value }]
  }
  return {
    take: (event) => {
      if (event.type === 'row.aside') {
        const key = event.key.map((one) => one ?? 'NULL').join(', ')
        return aside(
          event.table,
          `the row with the key ${key} was set aside: ${event.error.code}: ${event.error.message}`,
        )
      }
      if (event.type !== 'table.finished' || event.copied === undefined) return []
      const { table, status, copied } = event
      const { quarantined } = copied
      if (quarantined !== '0')
        return aside(table, `${quarantined} ${quarantined === '1' ? 'row is' : 'rows are'} set aside`)
      if (status !== 'ok' && status !== 'current') return []
      told.delete(table)
      return [{ cause: 'quarantine', table, holds: false, value: 'no row is set aside' }]
    },
  }
}

/** `fsck`: a file of the table is not what the log says. Notes are none: nothing is wrong with the version then. */
function fsck(): CauseWatch {
  const tables = new LookedTables()
  return {
    take: (event) => {
      if (event.type === 'fsck.checked') tables.looked(event.table)
      if (event.type === 'fsck.finding' && event.level === 'finding' && tables.found(event.table)) {
        const { table, finding, path, detail } = event
        return [{ cause: 'fsck', table, holds: true, value: [finding, path, detail].filter(Boolean).join(': ') }]
      }
      // What was broken off has not looked at all.
      if (event.type !== 'run.finished' || event.status !== 'ok') return []
      return tables.well.map((table) => ({
        cause: 'fsck' as const,
        table,
        holds: false,
        value: 'nothing that the log points at is wrong',
      }))
    },
  }
}
