/** Derives alert causes from events only, so that a recorded run gives the same result. */
import type { AlertCondition, RunCause } from '../../../model/run/alert.ts'
import type { EventBody } from '../../../model/run/event.ts'
import type { ErrorInfo } from '../../../shared/errors.ts'
import { InspectedTables, type CauseWatch, type CauseVerdict } from './cause.ts'
import { drift } from './drift.ts'
import { failedWatch } from './failed.ts'
import { defaultRows, noneAhead } from './partitions.ts'
import { stuck } from './stuck.ts'

export class AlertCauses {
  readonly #watches: readonly CauseWatch[]
  readonly #isRetried: (error: ErrorInfo) => boolean
  readonly #found = new Set<RunCause>()

  /**
   * @param conditions conditions of streams are ignored here: the stream raises them
   * @param isRetried true if a table with this error is retried automatically
   */
  constructor(conditions: readonly AlertCondition[], isRetried: (error: ErrorInfo) => boolean = () => false) {
    this.#isRetried = isRetried
    // `failed` comes last: another cause may already report the failure.
    const isLast = ({ cause }: AlertCondition): boolean => cause === 'failed'
    this.#watches = [...conditions.filter((one) => !isLast(one)), ...conditions.filter(isLast)].flatMap((one) => {
      const made = this.#watchOf(one)
      return made === null ? [] : [made]
    })
  }

  /** @param event an event of the run; `run.finished` before it is emitted @param at ms of a monotonic clock */
  take(event: EventBody, at: number): readonly CauseVerdict[] {
    return this.#noted(this.#watches, (watch) => watch.take(event, at))
  }

  /** Verdicts that depend on time only. */
  poll(at: number): readonly CauseVerdict[] {
    return this.#noted(this.#watches, (watch) => watch.poll?.(at) ?? [])
  }

  /** True if `poll` must be called at intervals. */
  get isWatching(): boolean {
    return this.#watches.some(({ poll }) => poll !== undefined)
  }

  #noted(watches: readonly CauseWatch[], ask: (watch: CauseWatch) => readonly CauseVerdict[]): readonly CauseVerdict[] {
    const all: CauseVerdict[] = []
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
        return failedWatch((cause) => this.#found.has(cause))
      case 'stuck':
        return stuck(condition.limit)
      case 'quarantine':
        return quarantine()
      case 'drift':
        return drift(this.#isRetried)
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

/** `verify`: an archive differs from its proof. Late rows in the table raise no alert. */
function verify(): CauseWatch {
  const tables = new InspectedTables()
  return {
    take: (event) => {
      if (event.type === 'archive.progress') tables.inspected(event.table)
      if (event.type === 'archive.finding' && event.finding !== 'late rows' && tables.found(event.table)) {
        const { table, finding, partition, path, detail } = event
        const value = [finding, path ?? partition, detail].filter(Boolean).join(': ')
        return [{ cause: 'verify', table, holds: true, value }]
      }
      // All tables were inspected if the run ended ok, or with findings.
      if (event.type !== 'run.finished' || event.status === 'stopped') return []
      if (event.status !== 'ok' && event.error?.code !== 'PROOF_FAILED') return []
      return tables.withoutProblem.map((table) => ({
        cause: 'verify' as const,
        table,
        holds: false,
        value: 'everything that was read of the archive equals its proof',
      }))
    },
  }
}

/** `quarantine`: rows of a table are quarantined, by this run or an earlier one. */
function quarantine(): CauseWatch {
  const reported = new Set<string>()
  const onQuarantine = (table: string, value: string): readonly CauseVerdict[] => {
    if (reported.has(table)) return []
    reported.add(table)
    return [{ cause: 'quarantine', table, holds: true, value }]
  }
  return {
    take: (event) => {
      if (event.type === 'row.aside') {
        const key = event.key.map((one) => one ?? 'NULL').join(', ')
        return onQuarantine(
          event.table,
          `the row with the key ${key} was quarantined: ${event.error.code}: ${event.error.message}`,
        )
      }
      if (event.type !== 'table.finished' || event.copied === undefined) return []
      const { table, status, copied } = event
      const { quarantined } = copied
      if (quarantined !== '0')
        return onQuarantine(table, `${quarantined} ${quarantined === '1' ? 'row is' : 'rows are'} quarantined`)
      if (status !== 'ok' && status !== 'current') return []
      reported.delete(table)
      return [{ cause: 'quarantine', table, holds: false, value: 'no row is quarantined' }]
    },
  }
}

/** `fsck`: a file of the table differs from the log. A note raises no alert: the table can be read in spite of it. */
function fsck(): CauseWatch {
  const tables = new InspectedTables()
  let isDrawn = false
  return {
    take: (event) => {
      if (event.type === 'fsck.checked') {
        tables.inspected(event.table)
        isDrawn ||= event.drawn === true
      }
      if (event.type === 'fsck.finding' && event.level === 'finding' && tables.found(event.table)) {
        const { table, finding, path, detail } = event
        return [{ cause: 'fsck', table, holds: true, value: [finding, path, detail].filter(Boolean).join(': ') }]
      }
      // An interrupted run has not inspected all files, and neither has a run over a sample.
      if (event.type !== 'run.finished' || event.status !== 'ok' || isDrawn) return []
      return tables.withoutProblem.map((table) => ({
        cause: 'fsck' as const,
        table,
        holds: false,
        value: 'no difference between the log and its files was found',
      }))
    },
  }
}
